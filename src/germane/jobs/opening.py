"""A run as a command asks it: with what ``--set`` changes, and with files that are brought to it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from .. import policies
from ..bundle import load, read_json
from ..component import build, faults, section
from ..config import apply, read_toml
from ..data.format import Format
from ..data.readers import read_files
from ..data.tables import Table
from ..errors import ConfigError
from ..evaluation import EvaluationOptions
from ..paths import moved, stands_in
from ..policies import Policy
from ..recommender import Recommender

__all__ = ["apply_to_run", "open_run", "read_brought", "sections_of"]

CHANGEABLE = ("policy", "evaluation")
"""Sections that can be set on a trained run."""


def open_run(run: str | Path, *, items: str | Path | None = None, sets: Sequence[str] = (), trust: str | Path | None = None) -> Recommender:
    """A saved run with items that it has never seen, and as if its config's ``[policy]`` and ``[evaluation]`` said what ``sets`` say."""
    recommender = load(run, trust=trust)
    _change(recommender, sets)
    if items is not None:
        recommender.add_items(read_brought(run, items))
    return recommender


def read_brought(run: str | Path, path: str | Path) -> Table:
    """A file as the run's config says that files are written (``[data.format]``); the path is the command line's own."""
    data = read_toml(Path(run) / "config.toml").get("data", {})
    return read_files(str(path), None, Format.model_validate(data.get("format", {})))


def apply_to_run(sections: dict[str, Any], change: str) -> None:
    """One ``section.key=value``, of those sections that can change once a model is trained."""
    if change.partition("=")[0].partition(".")[0].strip() not in CHANGEABLE:
        raise ConfigError(f"--set {change!r}: on a trained run only policy and evaluation can be changed, such as policy.epsilon=0.1.")
    apply(sections, change)
    for name, said in sections.items():
        if name in CHANGEABLE and not isinstance(said, dict):
            raise ConfigError(f"--set {change!r}: {name} is a section; write {name}.key=value.")


def sections_of(run: Path, sets: Sequence[str] = ()) -> dict[str, Any]:
    """What a run was trained and judged by, with what ``sets`` say; files by absolute paths."""
    sections = read_toml(run / "config.toml")
    sections = moved(sections, stands_in(sections, run, read_json(run, "about.json")), None)
    for change in sets:
        apply_to_run(sections, change)
    return sections


def _change(recommender: Recommender, sets: Sequence[str]) -> None:
    said: dict[str, Any] = {}
    for change in sets:
        apply_to_run(said, change)
    if "policy" in said:
        recommender.policy = _policy(recommender.policy, said["policy"])
    if "evaluation" in said:  # of which lists depend on one option
        try:
            options = EvaluationOptions.model_validate({"exclude_seen": recommender.exclude_seen, **said["evaluation"]})
        except ValidationError as error:
            raise ConfigError(faults(error, "[evaluation]", EvaluationOptions)) from None
        options.check_kinds(recommender.columns.kind is not None)
        recommender.exclude_seen = options.exclude_seen


def _policy(policy: Policy, changed: dict[str, Any]) -> Policy:
    """The policy with options changed; ``policy.use`` begins anew from the defaults of the class it names."""
    made: Policy = build(changed if "use" in changed else {**section(policy, policies), **changed}, policies, Policy, "[policy]")
    return made
