"""Tables that are brought to what is trained already, their cells read as training read its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import polars as pl

from ..errors import DataError, nearest
from .columns import ColumnType
from .dataset import Dataset
from .tables import Table
from .values import as_text, as_times, as_type, detect

__all__ = ["items_of", "pairs_of"]


def pairs_of(table: Table, schema: Dataset, contexts: Iterable[str]) -> pl.DataFrame:
    """``user``, ``item``, where it is told ``time`` (seconds), and of ``contexts`` those that the table has, as ``context:NAME``."""
    columns = schema.columns
    named = {"user": columns.in_events("user"), "item": columns.in_events("item")}
    for column in named.values():
        if column not in table.names:
            raise DataError(f"{table.name} has no column {column!r}; it has {', '.join(table.names)}.{nearest(column, table.names)}")
    read = {meaning: as_text(table.frame[column]) for meaning, column in named.items()}
    if columns.time is not None and columns.time in table.names:
        read["time"] = as_times(table, columns.time, schema.timezone, schema.forms.get(columns.time))
    for name in contexts:
        if name in table.names:
            read[f"context:{name}"] = _typed(table, name, schema.types.get(name, "category"), schema)
    return pl.DataFrame(read)


def items_of(table: Table, schema: Dataset, held: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Rows as the catalogue (``held``) has them, one an id; of several the last. A column that the table lacks is missing throughout; a row of empty
    cells, with which spreadsheets end, says nothing.

    Where a column of whole numbers gets others, it comes back as Float64.
    """
    key = schema.columns.in_items()
    name = key if key in table.names else "id"
    if name not in table.names:
        raise DataError(f"{table.name} has no column {key!r} (or 'id'); it has {', '.join(table.names)}.{nearest(key, table.names)}")
    for column in table.names:  # others are passed over: tables hold more than is read
        if column not in held and column != name and (meant := nearest(column, [one for one in held if one not in table.names])):
            raise DataError(f"{table.name} has a column {column!r}, and the catalogue has none of this name.{meant}")
    ids, blank = as_text(table.frame[name]), _blank(table.frame)
    lacking = ids.is_null() & ~blank
    if lacking.any():
        raise DataError(f"{table.place(int(lacking.arg_max() or 0))}: column {name!r} is empty: every item needs an id.")
    read = [ids.alias("id") if column == "id" else _fact(table, column, dtype, schema) for column, dtype in held.items()]
    return pl.DataFrame(read).filter(~blank).unique("id", keep="last", maintain_order=True)


def _blank(frame: pl.DataFrame) -> pl.Series:
    """[rows] whether all cells of a row are empty."""
    blank = pl.repeat(True, frame.height, eager=True)
    for cells in frame:
        blank &= cells.fill_null("") == "" if cells.dtype == pl.String else cells.is_null()
    return blank


def _fact(table: Table, name: str, dtype: pl.DataType, schema: Dataset) -> pl.Series:
    """A column of the items as the catalogue holds it."""
    if name not in table.names:
        return pl.Series(name, [None] * table.frame.height, dtype=dtype)
    kind = _kind(table.frame[name], name, dtype, schema)
    cells = table.frame[name] if kind is None else _typed(table, name, kind, schema)
    if dtype.is_integer() and cells.dtype.is_float() and not (cells.drop_nulls() % 1 == 0).all():
        return cells
    try:
        fitted = cells.cast(dtype, strict=False)
    except pl.exceptions.PolarsError:
        raise DataError(f"{table.name}: column {name!r} holds {cells.dtype} where the catalogue holds {dtype}.") from None
    lost = fitted.is_null() & cells.is_not_null()
    if lost.any():
        row = int(lost.arg_max() or 0)
        raise DataError(f"{table.place(row)}: column {name!r} holds {cells[row]!r} where the catalogue holds {dtype}.")
    return fitted


def _kind(column: pl.Series, name: str, dtype: pl.DataType, schema: Dataset) -> ColumnType | None:
    """Of a column that has no meaning, what its cells were read as; None: left as they are, such as vectors."""
    if name in (schema.columns.image, schema.columns.vector):
        return None
    if name in schema.types or name in schema.forms:
        return schema.types.get(name, "time")
    if dtype.is_numeric():
        return "time" if detect(column) == "time" else "number"
    if dtype == pl.List(pl.String):
        return "categories"
    return "text" if dtype == pl.String else None


def _typed(table: Table, name: str, kind: ColumnType, schema: Dataset) -> pl.Series:
    return as_type(table, name, kind, schema.separators.get(name, "|"), schema.timezone, schema.forms.get(name))
