"""Scores of given pairs."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from ..bundle import load
from ..errors import DataError
from .brought import read_brought
from .output import form_of, write_frame

__all__ = ["score_file"]


def score_file(run: str | Path, pairs: str | Path, out: str | Path, *, head: str | None = None, trust: str | Path | None = None) -> tuple[int, int]:
    """Append ``score`` to a file of (user, item) rows, whose columns are called as in the config. Returns how many rows, and how many have no score.

    A row has no score where its item is not in the catalogue.
    """
    form_of(out)
    recommender = load(run, trust=trust)
    table = read_brought(run, pairs)
    if "score" in table.frame.columns:
        raise DataError(f"{table.name} has a column 'score' already, which is what is appended: rename it.")
    scores = pl.Series("score", recommender.score(table, head)).fill_nan(None)
    write_frame(table.frame.with_columns(scores), out)
    return table.frame.height, scores.null_count()
