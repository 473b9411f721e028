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
    """How most of ``ids`` would be among ``known``, with one of each; empty: in no way that is looked for.

    >>> print(mend(pl.Series(["1.0", "2.0"]), pl.Series(["2", "1", "3"])))
    without ".0" behind them: '1.0' is not '1'
    """
    ids, known = ids.head(1000), known.drop_nulls().unique(maintain_order=True)
    for said, alike in _WAYS.items():
        theirs = dict(zip(alike(known), known, strict=True))
        met = [(one, theirs[changed]) for one, changed in zip(ids, alike(ids), strict=True) if changed in theirs]
        if len(met) > len(ids) / 2:
            return f"{said}: {met[0][0]!r} is not {met[0][1]!r}"
    return ""
