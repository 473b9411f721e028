"""``germane search``: from a config to a better one."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...config import Config
from ...errors import ConfigError, GermaneError, RunError, TrainingError
from ...search_space import seconds_of
from ...training import check_alone
from .space import space_of
from .study import Attempt, Place, attempts, begin, check_optuna, importances, resumed
from .trial import Task
from .workers import Budget, alone, together
from .written import winner, write

__all__ = ["Found", "TimeEnded", "left_in", "search"]


class TimeEnded(TrainingError):
    """Before anything was found."""


@dataclass(frozen=True)
class Found:
    """What a search found."""

    out: Path
    metric: str
    smaller_is_better: bool
    attempts: Sequence[Attempt]
    best: Attempt
    importances: Mapping[str, float]
    config: Config = field(repr=False)
    """The winner's, as ``best.toml`` has it."""
    notes: tuple[str, ...] = ()

    @property
    def own(self) -> Attempt | None:
        """The config as it stands."""
        return next((one for one in self.attempts if one.own and one.validation is not None), None)

    def as_json(self) -> dict[str, Any]:
        own = self.own
        return {
            "out": str(self.out),
            "metric": self.metric,
            "best": self.best.as_json(),
            "defaults": None if own is None else own.as_json(),
            "importances": dict(self.importances),
            "trials": len([one for one in self.attempts if one.counts]),
            "notes": list(self.notes),
        }


def search(
    config: str | Path | Config,
    out: str | Path,
    *,
    sets: Sequence[str] = (),
    trials: int | None = None,
    seconds: float | None = None,
    storage: str | None = None,
    resume: bool = False,
    jobs: int = 1,
    seed: int | None = None,
    longest: float = math.inf,
    told: Callable[[int, int], None] | None = None,
) -> Found:
    """Try settings of ``config`` on its validation events, and write the best of them, ``best.toml``, into the folder ``out``.

    ``trials`` and ``seconds``: the budget; absent, that of ``[search]``. With ``resume`` the trials of before count, their time does not.
    ``storage``: a database's address instead of ``out/study.db``. ``jobs``: processes that try at the same time. ``longest``: seconds that one
    trial may take. ``told`` hears how many trials of how many have ended.

    ``TimeEnded`` where no trial had a figure by then; what was tried is kept, for ``resume``.
    An interrupt ends it after the current step, and what was found until then is written all the same; where that is nothing, nothing is left.
    """
    check_alone("germane search")
    began, target = time.time(), Path(out)
    check_optuna()
    if jobs < 1:
        raise ConfigError(f"--jobs {jobs}: one process at least has to try.")
    if trials is not None and trials < 1:
        raise ConfigError(f"--trials {trials}: one trial at least has to be made, the config as it stands.")
    if target.exists() and not target.is_dir():
        raise RunError(f"{target} is a file: name a folder for the search.")
    if target.exists() and any(target.iterdir()) and not resume:
        raise RunError(f"{target} exists: add --resume to go on with its search, or choose another folder.")
    if resume and storage is None and not (target / "study.db").exists():
        raise RunError(f"{target} holds no search to go on with: leave --resume out.")
    read = config if isinstance(config, Config) else Config.read(config, sets)
    most = trials if trials is not None else read.search.trials
    lasts = seconds if seconds is not None else seconds_of(read.search.time)
    task = Task(read)
    space = space_of(read, task.dataset)
    target.mkdir(parents=True, exist_ok=True)
    place, first = Place.of(target, storage), read.seed if seed is None else seed
    try:
        study = resumed(place, task, space, first, alone=storage is None) if resume else begin(place, task, space, first)
    except (ConfigError, RunError):
        with suppress(OSError):
            target.rmdir()  # where nothing lies in it
        raise
    tried = attempts(study, space)
    if tried:
        study.sampler = place.open(first + len(tried), study.pruner).sampler  # else it would draw what it drew before
    before = sum(one.counts for one in tried)

    def say(*_: object) -> None:
        if told is not None:
            told(sum(one.counts and one.state != "running" for one in attempts(study, space)), most)

    budget = Budget(max(0, most - before), began + lasts, longest)
    left = False
    try:
        if jobs == 1:
            alone(study, task, space, budget, say)
        else:
            together(read, place, budget, jobs, first + before, say)
    except (GermaneError, KeyboardInterrupt):
        left = not resume
        raise
    finally:
        tried = attempts(study, space)
        best = winner(tried, task.smaller_is_better)
        spent = study.user_attrs.get("seconds", 0.0) + time.time() - began  # of all that worked on it, one session after the other
        study.set_user_attr("seconds", spent)
        if best is not None:
            weights = importances(study, tried)
            made, notes = write(target, task, space, place, tried, best, weights, {"trials": most, "seconds": lasts}, spent)
            notes += _failures(tried)
        elif left and all(one.validation is None for one in tried):  # nothing to go on with: the place is free for what is mended
            if storage is not None:
                place.forget()
            shutil.rmtree(target, ignore_errors=True)
    if best is None:
        raise TimeEnded("the time ended before the first trial had a validation figure: give more by --time, and add --resume.")
    return Found(target, task.metric, task.smaller_is_better, tried, best, weights, made, notes)


def left_in(out: str | Path) -> str:
    """What an interrupted search left there, in a line; empty where that is nothing."""
    try:
        trials = json.loads((Path(out) / "search.json").read_text(encoding="utf-8"))["spent"]["trials"]
    except FileNotFoundError:
        return ""
    return f"interrupted: {Path(out) / 'best.toml'} holds the best of {trials} trial{'s' if trials > 1 else ''}; --resume goes on."


def _failures(tried: Sequence[Attempt]) -> tuple[str, ...]:
    reasons = [one.reason for one in tried if one.state == "failed"]
    return (f"{len(reasons)} trial{'s' if len(reasons) > 1 else ''} failed: {reasons[0]}",) if reasons else ()
