"""``germane auto``: from a table of events to a run that can be served, with nothing said in between."""

from __future__ import annotations

import copy
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..config import Config, apply
from ..errors import ConfigError, RunError, TrainingError
from ..search_space import put
from ..training import Progress, check_alone
from ..types import Note
from ..writing import partial_of
from .check import duration
from .guess import Guess, guess
from .init import read_tables
from .recipe import recipe
from .run import train_run
from .search import Found, TimeEnded, search
from .search.space import searchable
from .search.written import hanging_on_epochs
from .train import Judged

__all__ = ["Made", "auto"]

FOR_SEARCH = 2 / 3
"""Of the time. The rest is kept for the winner, which is trained twice: to its epochs, and again with the validation events."""
FOR_TRIAL = 1 / 6
"""Of the time, at most, so that twice the winner fits into what is kept."""
TRIALS = 100
"""At most; the time ends the search before, unless data are small."""


@dataclass(frozen=True)
class Made:
    """What ``germane auto`` made."""

    run: Path
    guess: Guess
    why: tuple[str, ...]
    """What its config says of itself."""
    found: Found
    judged: Judged = field(repr=False)
    """On the test part, for the first time."""


def auto(
    events: str,
    items: str | None = None,
    users: str | None = None,
    run: str | Path = "runs/auto",
    *,
    seconds: float = 1800.0,
    trials: int | None = None,
    sets: Sequence[str] = (),
    replacing: bool = False,
    guessed: Callable[[Guess], object] | None = None,
    said: Callable[[str], object] | None = None,
    tried: Callable[[int, int], None] | None = None,
    progress: Progress | None = None,
    noted: Callable[[Note], object] | None = None,
) -> Made:
    """Guess what columns mean, choose a recipe by size, search within the time, train the winner, judge it on the test part, save it as ``run``.

    ``sets``: ``section.key=value`` changes of the recipe, which the search leaves as they are. ``guessed``, ``said`` and ``tried`` hear what was
    guessed, why the recipe is what it is, and how many trials have ended. Nothing is left beside ``run``, whatever happens.
    """
    check_alone("germane auto")
    began, target = time.time(), Path(run)
    partial = partial_of(target)
    if target.exists() and not replacing:
        raise RunError(f"{target} exists: choose another folder, or add --replace.")
    if partial.exists():
        raise RunError(f"{partial} is left from an interrupted training: move it away, or go on with it by germane train --resume.")
    if trials is not None and trials < 1:
        raise ConfigError(f"--trials {trials}: one trial at least has to be made, the recipe as it stands.")
    files, tables = read_tables(events, items, users)
    found = guess(tables["events"], tables.get("items"), tables.get("users"))
    if guessed is not None:
        guessed(found)
    begun = recipe(found, tables, files)
    sections = copy.deepcopy(begun.sections)
    for change in sets:
        apply(sections, change)
    set_here = {change.partition("=")[0].strip() for change in sets}
    why = ["Made by germane auto.", *begun.why, *([f"Said on the command line: {', '.join(sets)}."] if sets else [])]
    for line in why[1:]:
        if said is not None:
            said(line)
    fixed = sorted(set_here & set(searchable(Config.of(sections, Path()))))
    config = Config.of({**sections, "search": {"fixed": fixed, **sections.get("search", {})}}, Path())
    if said is not None:
        said(f"{duration(seconds * FOR_SEARCH)} for the search; the rest of {duration(seconds)} is kept for training the winner.")
    with tempfile.TemporaryDirectory(prefix="germane-auto-") as scratch:
        until = began + seconds * FOR_SEARCH
        try:
            best = search(
                config,
                Path(scratch) / "search",
                trials=trials or TRIALS,
                seconds=max(0.0, until - time.time()),
                longest=seconds * FOR_TRIAL,
                told=tried,
            )
        except TimeEnded:  # whose sentence tells how to go on with what is kept, and here nothing is
            raise TrainingError("the time ended before the first trial had a validation figure: give more by --time.") from None
    final = _final(sections, best, why)
    _, judged = train_run(final, target, replace=replacing, progress=progress, noted=noted, resumable=False)
    return Made(target, found, final.why, best, judged)


def _final(sections: dict[str, Any], best: Found, why: Sequence[str]) -> Config:
    """The recipe with what was found."""
    final = copy.deepcopy({name: section for name, section in sections.items() if name != "search"})
    for key, value in best.best.options.items():
        if value is not None:
            put(final, key, value)
    if best.best.epochs and not hanging_on_epochs(Config.of(final, Path())):
        put(final, "training.epochs", best.best.epochs)
    count = sum(one.counts for one in best.attempts)
    told = f"{count} settings were tried on validation: {best.metric} {best.best.validation:.4g} with what stands here"
    if best.own is not None and not best.best.own:
        told += f", {best.own.validation:.4g} with the recipe that it began with"
    changed = [key for key, value in best.best.options.items() if value is not None]
    if changed and not best.best.own:
        told += f"; what is said above of {', '.join(changed)} is of that recipe"
    return replace(Config.of(final, Path()), why=(*why, f"{told}."))
