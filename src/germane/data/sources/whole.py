"""Tables with a header: that a published file has the columns that it should have, and a cell in each."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from ...errors import DataError
from ..tables import Table

__all__ = ["has_columns", "whole"]


def has_columns(table: Table, names: Sequence[str]) -> Table:
    """The table, if it has these columns."""
    if missing := [name for name in names if name not in table.frame.columns]:
        raise DataError(f"{table.name} has no column {' and none called '.join(map(repr, missing))}: its first line should name {', '.join(names)}.")
    return table


def whole(table: Table, names: Sequence[str]) -> Table:
    """The table, if every row has a cell in each of these columns; a line that is cut short has not."""
    has_columns(table, names)
    gaps = table.frame.select(pl.any_horizontal(pl.col(names).is_null())).to_series()
    if gaps.any():
        row = int(gaps.arg_max() or 0)
        empty = [repr(name) for name in names if table.frame[name][row] is None]
        raise DataError(f"{table.place(row)}: has no {' and no '.join(empty)}; a line holds {', '.join(names)}.")
    return table
