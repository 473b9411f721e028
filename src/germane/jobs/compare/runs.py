"""A run folder as a report reads it: what its files say, without loading the model."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from ...errors import ConfigError, RunError
from ...paths import moved, stands_in
from ...seal import about_of, check, read_json
from ..beside import PER_SEGMENT
from ..figures import row_of
from ..following import CURVE, without_passwords
from ..settings import defaults, flat

__all__ = ["MOST", "ReadRun", "read_runs"]

MOST = 6
"""Runs side by side: as many colours and shapes as can be told apart."""
ASKED = ("exclude_seen", "history")
"""Of ``[evaluation]``: what makes other cases of the same events. The lengths of lists do not: a figure names its own."""


@dataclass(frozen=True)
class ReadRun:
    """One of those that are compared."""

    name: str
    """Its folder's, with as much before it as tells it from the others."""
    folder: Path
    about: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]]
    """Of ``metrics.json``."""
    sections: Mapping[str, Any]
    """Of ``config.toml``, without passwords."""
    users: pl.DataFrame
    """Each judged user's own figures by segment: ``user``, ``segment``, figures."""
    curve: Sequence[Mapping[str, Any]]
    """Lines of ``curve.jsonl``; of an older run one for each epoch."""
    judged: Mapping[str, Any] | None = None
    """On what the figures were judged and by what; an older run says it of its training alone."""

    def figure(self, metric: str, segment: str = "all", variant: str = "as trained") -> Mapping[str, Any] | None:
        row = row_of(self.rows, segment, variant)
        return None if row is None or metric not in row["metrics"] else {"n": row["n"], **row["metrics"][metric]}

    def settled(self) -> dict[str, Any]:
        """Every option by its dotted name, said or default."""
        return {**defaults(self.sections), **flat(self.sections)}

    def ground(self) -> dict[str, Any]:
        """What was judged on and by, by dotted names, said or default: with the ``data`` the split and what changes the cases."""
        judged, said = self.judged, self.sections
        if judged is not None:
            said = {"split": judged.get("split", {}), "evaluation": {name: judged[name] for name in ASKED if name in judged}}
        told = {**defaults(said), **flat(said)}
        kept = {name: value for name, value in told.items() if name.startswith("split.") or name.removeprefix("evaluation.") in ASKED}
        return {"data": (judged or {}).get("data", self.about.get("data", {}).get("fingerprint")), **kept}

    def unlike(self, other: ReadRun) -> str | None:
        """Why single users' figures of the two cannot be set against each other; None: they can."""
        mine, theirs = self.about.get("data", {}).get("fingerprint"), other.about.get("data", {}).get("fingerprint")
        if mine is None or theirs is None:
            return "one of them does not say what data it was trained on"
        if mine != theirs:
            return "they were trained on other data, or read other columns of them (the fingerprints differ)"
        if not self.rows or not other.rows:
            return "one of them was not judged, since nothing was held out"
        for what, word in (("protocol", "protocols"), ("split", "parts of the data")):
            if self.rows[0][what] != other.rows[0][what]:
                return f"they were judged on other {word} ({self.rows[0][what]} and {other.rows[0][what]})"
        ours, others = self.ground(), other.ground()
        if ours.pop("data") != others.pop("data"):
            return "they were judged on other data (the fingerprints differ)"
        for name in sorted({*ours, *others}):
            if ours.get(name) != others.get(name):
                return f"they were judged otherwise: {name} is {ours.get(name)} and {others.get(name)}"
        return None


def read_runs(paths: Sequence[str | Path]) -> list[ReadRun]:
    """In the order given. What is no whole run, one run alone and the same one twice are refused."""
    folders = [Path(path) for path in paths]
    if not 2 <= len(folders) <= MOST:
        raise ConfigError(f"{len(folders)} run{'s' * (len(folders) != 1)} given: compare takes 2 to {MOST} run folders.")
    for place, folder in enumerate(folders):
        if any(folder.resolve() == other.resolve() for other in folders[:place]):
            raise ConfigError(f"{folder} is given twice: compare takes different runs.")
    return [_read(folder, name) for folder, name in zip(folders, _names(folders), strict=True)]


def _read(folder: Path, name: str) -> ReadRun:
    check(folder)
    about, metrics = about_of(folder), read_json(folder, "metrics.json")
    try:
        sections = tomllib.loads((folder / "config.toml").read_text(encoding="utf-8"))
        sections = moved(sections, stands_in(sections, folder, about), None)  # the same file has one name, whatever folder a run lies in
        users = pl.read_parquet(folder / "per_user.parquet", glob=False).with_columns(segment=pl.lit("all"))
        parts = folder / PER_SEGMENT
        if parts.exists():  # older runs have none
            users = pl.concat([users, pl.read_parquet(parts, glob=False).filter(pl.col("segment") != "all")], how="diagonal_relaxed")
        curve = [json.loads(line) for line in (folder / CURVE).read_text(encoding="utf-8").splitlines()] if (folder / CURVE).exists() else None
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        raise RunError(f"{folder} cannot be read ({type(error).__name__}): the run is damaged.") from None
    if curve is None:
        curve = [{"part": "", "epoch": one["epoch"], "at": one["epoch"], "ended": True, **one} for one in about.get("curve", [])]
    return ReadRun(name, folder, about, metrics.get("rows", []), without_passwords(sections), users, curve, metrics.get("judged"))


def _names(folders: Sequence[Path]) -> list[str]:
    """
    >>> _names([Path("/runs/a/run"), Path("/runs/b/run"), Path("/runs/c")])
    ['a/run', 'b/run', 'c']
    """
    whole = [folder.resolve().parts for folder in folders]
    found = []
    for place, parts in enumerate(whole):
        others = [other for number, other in enumerate(whole) if number != place]
        length = next((n for n in range(1, len(parts)) if all(other[-n:] != parts[-n:] for other in others)), len(parts))
        found.append("/".join(parts[-length:]))
    return found
