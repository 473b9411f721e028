"""True and false: how people, files and databases write them, and as what they are read."""

from __future__ import annotations

import polars as pl

from ..errors import DataError
from .tables import Table
from .values import MISSING, as_text

__all__ = ["SPELT_ALIKE", "as_labels", "as_truths", "spellings", "truths"]

TRUTHS = {"true": "1", "t": "1", "yes": "1", "y": "1", "false": "0", "f": "0", "no": "0", "n": "0"}
"""How people and databases write 1 and 0 in labels, in any case of letters."""
SPELT_ALIKE = ("true", "false")
"""Of these, what is one value in categories too, in any case of letters: files write True, JSON true. All other words are as written."""


def truths(column: pl.Series) -> pl.Series:
    """Int8 of cells that say 1 or 0, in numbers or in words; null where a cell says neither.

    >>> truths(pl.Series(["true", "No", "1.0", "maybe"])).to_list()
    [1, 0, 1, None]
    """
    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        numbers = column.cast(pl.Float64)
    else:
        text = as_text(column).str.strip_chars().str.to_lowercase()
        numbers = text.replace(list(TRUTHS), list(TRUTHS.values())).str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)
    return numbers.set(~numbers.is_in([0.0, 1.0]), None).cast(pl.Int8).alias(column.name)


def as_labels(table: Table, name: str) -> pl.Series:
    """Int8; missing cells are null; what is neither yes nor no is an error that names file, line and value."""
    column = table.frame[name]
    labels = truths(column)
    wrong = labels.is_null() & (column.fill_nan(None) if column.dtype.is_float() else column).is_not_null()
    if wrong.any() and not column.dtype.is_numeric():
        wrong &= ~as_text(column).str.strip_chars().str.to_lowercase().is_in(MISSING).fill_null(True)
    if wrong.any():
        row = int(wrong.arg_max() or 0)
        raise DataError(f"{table.place(row)}: column {name!r} holds {column[row]!r}: a label is 0 or 1, false or true, no or yes.")
    return labels


def as_truths(text: pl.Series) -> pl.Series:
    """A column of text that holds nothing but true and false, in any case of letters, as all other tables spell these; any other as it is.

    >>> as_truths(pl.Series(["True", "FALSE", None])).to_list(), as_truths(pl.Series(["True", "unsure"])).to_list()
    (['true', 'false', None], ['True', 'unsure'])
    """
    lower = text.str.to_lowercase()
    told = lower.drop_nulls()
    return lower if len(told) and told.is_in(SPELT_ALIKE).all() else text


def spellings(value: str) -> tuple[str, ...]:
    """All that a category may be written as that means the same as this text.

    >>> spellings("True"), spellings("yes")
    (('true', 'True', 'TRUE'), ('yes',))
    """
    return (value.lower(), value.title(), value.upper()) if value.lower() in SPELT_ALIKE else (value,)
