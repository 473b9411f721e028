"""The service's own log as the three tables.

Its JSON is read, and not its views: SQL knows neither lists nor yes and no, and takes ``Weather`` for ``weather``.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from ..errors import DataError
from .columns import Columns
from .sql import read_query
from .tables import Table, as_series, several
from .values import said_types

__all__ = ["read_log"]

WIDEST = 500
"""Columns of items and users that are read; those of the views are as many."""


def read_log(columns: Columns, types: Mapping[str, str], named: Collection[str]) -> tuple[Table, Table | None, Table | None]:
    """Events, items and users at ``$GERMANE_STORE``, else in ``germane.db`` in the current folder; cells are as they were sent.

    ``types``: of ``[data.types]``; ``named``: columns of the events that may have a meaning. A name that each row has anyway, such as ``kind``,
    is ``context_kind`` where a context has it too.
    """
    address = os.environ.get("GERMANE_STORE") or "sqlite:///germane.db"

    def rows(table: str, fixed: str, more: str, also: str = "") -> pl.DataFrame:
        names = ", ".join(f'"{name}"' for name in (*fixed.split(), more))
        query = f"SELECT {names} FROM {table} WHERE tenant = 'default'{also} ORDER BY \"row\""
        return read_query(address, query, Path.cwd(), f"the store's table {table}").frame

    events = rows("event_log", "user item time kind value recommendation_id", "context")
    if events.height == 0:
        raise DataError(f"the store at {address} holds no events yet.")
    kinds, separators, _ = said_types(types)

    def typed(name: str, cells: list[Any]) -> pl.Series:
        """Texts between lists are several values too, written as files write them."""
        several_valued = name != columns.vector and kinds.get(name, "categories") == "categories"
        if several_valued and any(isinstance(cell, list) for cell in cells):
            apart = separators.get(name, "|")
            return pl.Series(name, [None if cell is None else several(cell, apart) for cell in cells], dtype=pl.List(pl.String))
        return as_series(name, cells)

    def table(frame: pl.DataFrame, source: str, name: str) -> Table:
        bare, told = frame.drop(source), [msgspec.json.decode(line) for line in frame[source]]
        calls: dict[str, str] = {}  # column -> its key in the JSON
        for key in dict.fromkeys(key for row in told for key in row):
            column = key
            while column in calls or column in bare.columns:
                column = f"{source}_{column}"
            calls[column] = key
        read = [column for column in calls if column in named] if name == "events" else list(calls)[:WIDEST]
        cells = [typed(column, [row.get(calls[column]) for row in told]) for column in read]
        return Table(bare.with_columns(cells), f"the store's {name}", header=(*bare.columns, *calls) if name == "events" else ())

    items = rows("catalogue", "item", "columns", " AND NOT gone")
    users = rows("people", "user", "columns")
    return (
        table(_on_the_wall(events), "context", "events"),
        table(items, "columns", "items") if items.height else None,
        table(users, "columns", "users") if users.height else None,
    )


def _on_the_wall(events: pl.DataFrame) -> pl.DataFrame:
    """The store's times are on the wall clock already: as datetimes they are taken as they stand, and none for milliseconds."""
    return events.with_columns((pl.col("time") * 1e6 + 0.5).floor().cast(pl.Int64).cast(pl.Datetime("us")))
