"""Scores of given pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl

from ..errors import DataError
from .opening import open_run, read_brought
from .output import check_fits, form_of, write_frame

__all__ = ["score_file"]


def score_file(
    run: str | Path,
    pairs: str | Path,
    out: str | Path,
    *,
    head: str | None = None,
    sets: Sequence[str] = (),
    trust: str | Path | None = None,
    told: Callable[[int, int], object] | None = None,
) -> tuple[int, int]:
    """Append ``score`` to a file of (user, item) rows, whose columns are called as in the config. Returns how many rows, and how many have no score.

    A row has no score where its item is not in the catalogue. ``sets`` are read as in all commands, and no score depends on them. ``told`` hears
    how many rows are done.
    """
    form_of(out)
    recommender = open_run(run, sets=sets, trust=trust)
    table = read_brought(run, pairs)
    if "score" in table.frame.columns:
        raise DataError(f"{table.name} has a column 'score' already, which is what is appended: rename it.")
    check_fits(table.frame, out)
    heard = told if told is not None else lambda done, of: None
    scores = pl.Series("score", recommender.score(table, head, heard)).fill_nan(None)
    write_frame(table.frame.with_columns(scores), out)
    return table.frame.height, scores.null_count()
