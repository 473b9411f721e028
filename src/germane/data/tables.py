"""Anything that holds rows, as a polars table that knows where each row came from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from ..errors import DataError

__all__ = ["Table", "as_rows", "as_series", "as_table", "refuse_doubled", "several", "spelled"]


@dataclass(frozen=True)
class Table:
    """A frame as it was read, before any column has a meaning."""

    frame: pl.DataFrame
    name: str
    """For people: the file, or "the events table"."""
    where: Callable[[int], str] | None = None
    """Row -> file and line. Absent for frames, whose rows are counted from 0."""
    decimal: str | None = None
    """The decimal mark that was said; absent: told from the values."""
    header: tuple[str, ...] = ()
    """Every column that the file has; empty: those of the frame."""

    def place(self, row: int) -> str:
        return self.where(row) if self.where else f"{self.name}, row {row}"

    @property
    def names(self) -> tuple[str, ...]:
        """Every column of the file, whether it was read or not."""
        return self.header or tuple(self.frame.columns)


def as_table(data: Any, name: str) -> Table:
    """From polars, pandas, Arrow, or a mapping of columns. pandas and Arrow are known by their shape, not imported.

    >>> as_table({"user": ["a", "b"]}, "the events table").frame.height
    2
    """
    if isinstance(data, Table):
        return data
    if isinstance(data, pl.LazyFrame):
        return Table(data.collect(), name)
    if isinstance(data, pl.DataFrame):
        return Table(data, name)
    if hasattr(data, "iloc") and hasattr(data, "columns"):
        return Table(_from_pandas(data, name), name)
    if isinstance(data, Mapping):
        return Table(_built(lambda: pl.DataFrame(dict(data), strict=False), name), name)
    if hasattr(data, "__arrow_c_stream__"):
        refuse_doubled(getattr(data, "column_names", ()), name)
        return Table(_built(lambda: pl.DataFrame(data), name), name)
    if isinstance(data, Sequence) and not isinstance(data, str) and all(isinstance(row, Mapping) for row in data):
        return Table(_built(lambda: pl.DataFrame(list(data), infer_schema_length=None, strict=False), name), name)
    raise DataError(f"{name} is a {type(data).__name__}: give a polars, pandas or Arrow table, or a mapping from column to values.")


def _from_pandas(data: Any, name: str) -> pl.DataFrame:
    names = [str(column) for column in data.columns]
    refuse_doubled(names, name)
    return pl.from_dict({column: _pandas_column(column, data.iloc[:, place]) for place, column in enumerate(names)})


def _pandas_column(name: str, column: Any) -> pl.Series:
    if getattr(column.dtype, "tz", None) is not None:
        column = column.dt.tz_localize(None)  # its wall time
    values = column.to_numpy()
    if values.dtype.kind in "mM" and np.datetime_data(values.dtype)[0] not in ("ms", "us", "ns"):
        values = values.astype(f"{values.dtype.kind}8[ms]")  # tables know no seconds
    if values.dtype != object:
        return pl.Series(name, values, nan_to_null=True)
    missing = column.isna().to_numpy()
    return as_series(name, [None if gone else _native(cell) for cell, gone in zip(values, missing)])


def as_series(name: str, cells: list[Any]) -> pl.Series:
    """A column of whatever was told: of one kind as that, of several, whole and other numbers aside, as text.

    >>> as_series("zip", [8000, "007", True, None]).to_list(), as_series("age", [30, 1.5]).to_list()
    (['8000', '007', 'true', None], [30.0, 1.5])
    """
    kinds = {type(cell) for cell in cells if cell is not None}
    if len(kinds) <= 1 or kinds <= {int, float}:
        try:
            return pl.Series(name, cells, strict=False)
        except (pl.exceptions.PolarsError, TypeError, ValueError, OverflowError):
            pass  # of a kind that tables do not know: taken as text, as cells of several kinds are
    return pl.Series(name, [None if cell is None else spelled(cell) for cell in cells], dtype=pl.String)


def _native(cell: Any) -> Any:
    """An object's cell as Python has it: arrays as lists, moments by their wall time."""
    if isinstance(cell, np.generic):
        return cell.item()
    if isinstance(cell, np.ndarray):
        return cell.tolist()
    return cell.replace(tzinfo=None) if isinstance(cell, datetime) else cell


def refuse_doubled(names: Iterable[str], table: str) -> None:
    seen: set[str] = set()
    for column in names:
        if column in seen:
            raise DataError(f"{table} has the column {column!r} twice: rename or drop one of the two.")
        seen.add(column)


def _built(make: Callable[[], pl.DataFrame], name: str) -> pl.DataFrame:
    try:
        return make()
    except (pl.exceptions.PolarsError, TypeError, ValueError) as error:
        raise DataError(f"{name} is no table: {str(error).splitlines()[0]}.") from None


def as_rows(rows: Sequence[Mapping[str, Any]], schema: Mapping[str, pl.DataType], separators: Mapping[str, str]) -> pl.DataFrame:
    """Mappings as rows of these columns. What a mapping does not name or what a column cannot hold is missing.

    ``separators``: inside the text of each several-valued column; ``|`` where none is said.

    >>> as_rows([{"age": 30, "likes": "a|b", "zip": 12345.0}], {"age": pl.Float64(), "likes": pl.List(pl.String), "zip": pl.String()}, {}).rows()
    [(30.0, ['a', 'b'], '12345')]
    """
    return pl.DataFrame([_column(name, [row.get(name) for row in rows], dtype, separators.get(name, "|")) for name, dtype in schema.items()])


def spelled(value: object) -> str:
    """A value as the text that a table holds: a whole number has no point, and a yes is ``true``, as polars and JSON write it.

    >>> spelled(12345.0), spelled(1.5), spelled("007"), spelled(True)
    ('12345', '1.5', '007', 'true')
    """
    if isinstance(value, bool | np.bool_):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def several(cell: object, separator: str = "|") -> list[str]:
    """The values of a cell that may hold several: a list, or a text with ``separator`` between them.

    >>> several("happy | calm"), several([1.0, True]), several("a/b", "/"), several(3)
    (['happy', 'calm'], ['1', 'true'], ['a', 'b'], ['3'])
    """
    if isinstance(cell, str):
        return [part.strip() for part in cell.split(separator) if part.strip()]
    return [spelled(one) for one in cell if one is not None] if isinstance(cell, list | tuple) else [spelled(cell)]


def _column(name: str, cells: list[Any], dtype: pl.DataType, separator: str) -> pl.Series:
    if dtype == pl.List(pl.String):
        return pl.Series(name, [None if cell is None else several(cell, separator) for cell in cells], dtype=dtype)
    if isinstance(dtype, pl.List):
        return pl.Series(name, cells, dtype=dtype)
    if dtype.is_numeric() or dtype == pl.Boolean:
        return pl.Series(name, cells, dtype=dtype, strict=False)
    text = [None if cell is None else spelled(cell) for cell in cells]
    return pl.Series(name, text, dtype=pl.String).cast(dtype, strict=False)
