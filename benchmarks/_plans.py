"""What is run with each seed, and the recipes it is run with."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _peers import Peer, Row, Sections
from _tuned import Grid, grid_hash

CONFIGS = Path(__file__).parents[1] / "configs"
SEEDS = (0, 1, 2)
FEW_USERS = 200


@dataclass(frozen=True)
class Plan:
    """What is run with each seed: a config that is trained and judged (``sections``), or something else that is measured (``measure``)."""

    name: str
    sections: Callable[[int, Path], Sections] | None = None
    """Of a seed. Tables that the config reads may be written into the folder."""
    measure: Callable[[int, Path, bool], list[Row]] | None = None
    """Rows of a seed; the last argument says whether it is a rehearsal."""
    beside: Callable[[Any], None] | None = None
    """Judges more on the same held-out events: it is given the ``Trained`` of beside.py."""
    needs: str | None = None
    """The known source without which it is skipped."""
    lacks: Callable[[], str | None] | None = None
    """Why it cannot run on this machine, as one sentence; None where it can."""
    against: str | None = None
    """The plan with whose users it is compared by a paired test."""
    seeds: tuple[int, ...] = SEEDS
    users: int | None = FEW_USERS
    """In a rehearsal; None: all."""
    rehearsed: bool = True
    """Whether ``--quick`` runs it: of many that are alike, some will do."""
    only_with_peers: bool = False
    """Whether ``measure`` asks another library."""
    grid: Grid | None = None
    """Options of ``sections`` that are tuned on validation first, with as many trials as a peer has. They need a validation part."""
    peer: Peer | None = None
    """Another library's model, tuned and judged on the split of ``sections``. Run only with ``--peers``."""


def recipe(name: str, **changes: Mapping[str, Any]) -> Callable[[int, Path], Sections]:
    """The config of configs/, read when it is needed; ``changes``: keys of a section that differ."""

    def sections(seed: int, folder: Path) -> Sections:
        from germane.config import read_toml

        said = read_toml(CONFIGS / f"{name}.toml")
        return {**said, **{section: {**said.get(section, {}), **keys} for section, keys in changes.items()}, "seed": seed}

    return sections


def recipe_hash(sections: Mapping[str, Any]) -> str:
    """Of all that a config says but its seed and where the tables lie."""
    said = copy.deepcopy({name: value for name, value in sections.items() if name != "seed"})
    for name in ("events", "items", "users", "path"):
        said.get("data", {}).pop(name, None)
    said.get("split", {}).pop("seed", None)
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()[:16]


def plan_hash(plan: Plan, sections: Mapping[str, Any]) -> str:
    """Of a peer: the data, the split and how it is judged, and its own grid; what our model is made of is none of its business."""
    if plan.peer is None:
        return recipe_hash(sections) + (f"-{grid_hash(plan.grid)}" if plan.grid is not None else "")
    judged = {name: sections.get("evaluation", {}).get(name) for name in ("k", "exclude_seen", "segments")}
    shared = {"data": sections.get("data", {}), "split": sections.get("split", {}), "evaluation": judged}
    return f"{recipe_hash(shared)}-{plan.peer.grid_hash}"


def measured(name: str, figures: Mapping[str, float], **about: Any) -> Row:
    """A row of figures that are no judging, in the form of all rows."""
    metrics = {figure: {"value": float(value)} for figure, value in figures.items()}
    return {"name": name, "variant": "as trained", "segment": "all", "n": 1, "metrics": metrics, "p_against": {}, **about}


def missing(plan: Plan) -> str | None:
    """Why its data cannot be read, or what it lacks on this machine, as one sentence."""
    if plan.lacks is not None and (reason := plan.lacks()) is not None:
        return reason
    if plan.needs is None:
        return None
    from germane.component import find
    from germane.data import sources
    from germane.data.sources import Source
    from germane.errors import GermaneError

    source = find(plan.needs, sources, Source, "needs")()
    try:
        source.read() if plan.needs == "MovieLens100K" else source.home(None)
    except GermaneError as error:
        return str(error).splitlines()[0]
    return None
