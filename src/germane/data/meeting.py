"""Ids of two tables that do not meet, and what stands between them."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

__all__ = ["apart", "mend"]

_ZERO = r"\.0+$"
_WAYS: dict[str, Callable[[pl.Series], pl.Series]] = {
    "without blanks around them": lambda ids: ids.str.strip_chars(),
    'without ".0" behind them': lambda ids: ids.str.replace(_ZERO, ""),
    'without blanks around and ".0" behind them': lambda ids: ids.str.strip_chars().str.replace(_ZERO, ""),
    "without zeros before them": lambda ids: ids.str.strip_chars().str.replace(r"^0+(.)", "${1}"),
    "with letters of one case": lambda ids: ids.str.strip_chars().str.to_lowercase(),
}


def apart(mentioned: pl.Series, known: pl.Series) -> pl.Series:
    """The different ids of ``mentioned`` that are not among ``known``."""
    ids = mentioned.drop_nulls().unique(maintain_order=True)
    return ids.filter(~ids.is_in(known.drop_nulls().implode()))


def mend(ids: pl.Series, known: pl.Series) -> str:
    """How most of ``ids`` would be among ``known``; empty: in no way that is looked for.

    >>> mend(pl.Series(["1.0", "2.0"]), pl.Series(["1", "2", "3"])), mend(pl.Series(["a"]), pl.Series(["b"]))
    ('without ".0" behind them', '')
    """
    known = known.drop_nulls().unique()
    return next((said for said, alike in _WAYS.items() if len(apart(alike(ids), alike(known))) < len(ids) / 2), "")
