"""Columns of items as they are sent, read as the catalogue holds them."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import polars as pl

from .. import times
from ..data import clock
from ..data.tables import as_rows, spelled
from ..data.truths import SPELT_ALIKE
from ..errors import DataError, QueryError, nearest
from ..wire import Flat

if TYPE_CHECKING:
    from ..recommender import Recommender

__all__ = ["ItemRows"]


class ItemRows:
    """What may be put of an item is what a file of items may hold: times as they are written there, and true and false also as JSON has them."""

    def __init__(self, recommender: Recommender) -> None:
        self.recommender, schema = recommender, recommender.schema
        self.separators: Mapping[str, str] = schema.separators if schema is not None else {}
        self.zone = schema.timezone if schema is not None else None
        self.forms: dict[str, str | None] = {name: None for name, kind in recommender.types.items() if kind == "time"}
        """Columns that hold times: how texts are written there; None: as ISO has it."""
        self.forms |= schema.forms if schema is not None else {}
        self.truths = {column.name for column in recommender.catalogue.first if _holds_truths(column)}
        """Columns that hold true and false, and nothing else."""

    def checked(self, item: str, columns: Flat) -> Flat:
        """The columns of one item as they were sent, without its id; refused is what the catalogue cannot hold."""
        cells = dict(columns)
        for name in {"id", self.recommender.columns.in_items()}:
            if cells.get(name, item) != item:
                raise QueryError(f"{name} = {cells[name]!r}, but the address says {item!r}: leave it out, or give the same.", name)
            cells.pop(name, None)
        schema = self.recommender.catalogue.items.schema
        names = [name for name in schema if name != "id"]
        for name, value in cells.items():
            if name not in names:
                raise QueryError(f"{name!r} is no column of the items; they have {', '.join(names)}.{nearest(name, names)}", name)
            self._cell(name, value, schema[name])
        return cells

    def fitting(self, columns: Flat) -> Flat:
        """Those of stored columns that this run's catalogue can hold; it may differ from that of the run they were put to."""
        schema = self.recommender.catalogue.items.schema
        return {name: value for name, value in columns.items() if name in schema and self._fits(name, value, schema[name])}

    def frame(self, rows: Sequence[tuple[str, Flat]]) -> pl.DataFrame:
        """A table of these items. Of an item in the catalogue what is not said stays, though another row says it."""
        held, schema = self.recommender.catalogue, self.recommender.catalogue.items.schema
        named = dict.fromkeys(name for _, cells in rows for name in cells)
        whole = []
        for item, cells in rows:
            code = held.codes.get(item)
            silent = [name for name in named if name not in cells] if code is not None else []
            stays = dict(zip(silent, held.items.select(silent).row(code), strict=True)) if silent and code is not None else {}
            whole.append({**stays, **{name: self._cell(name, value, schema[name]) for name, value in cells.items()}, "id": item})
        given = {name: dtype for name, dtype in schema.items() if name == "id" or name in named}
        given |= {name: pl.Float64() for name, dtype in given.items() if dtype.is_integer()}  # a column of whole numbers may get others
        frame = as_rows(whole, given, self.separators)
        on_the_wall = [name for name in given if name in self.forms]  # as moments, so that no zone moves them again
        return frame.with_columns((pl.col(name) * 1e6).round().cast(pl.Int64).cast(pl.Datetime("us")) for name in on_the_wall)

    def _fits(self, name: str, value: Any, dtype: pl.DataType) -> bool:
        try:
            self._cell(name, value, dtype)
        except QueryError:
            return False
        return True

    def _cell(self, name: str, value: Any, dtype: pl.DataType) -> Any:
        """As the catalogue holds it."""
        if value is None:
            return None
        if name in self.forms or (dtype.is_float() and isinstance(value, str) and clock.looks_like_times(pl.Series([value]))):
            return self._time(name, value)
        if name in self.truths and spelled(value).lower() in SPELT_ALIKE:
            return spelled(value).lower()
        if wanted := _wanted(value, dtype, self.separators.get(name, "|")):
            raise QueryError(f"{name} = {value!r}, but this column holds {'true and false' if name in self.truths else wanted}.", name)
        return value

    def _time(self, name: str, value: Any) -> float:
        """Seconds of the wall clock."""
        seconds, form = None, self.forms.get(name)
        with suppress(DataError):
            written = form and isinstance(value, str)
            seconds = clock.seconds(pl.Series([value]), form=form)[0] if written else times.parse(value, self.zone)
        if seconds is None or not times.in_calendar(seconds):
            wanted = f"times as {form!r} writes them" if form else "times: ISO, such as 2026-05-01T21:00"
            raise QueryError(f"{name} = {value!r}, but this column holds {wanted}, or epoch seconds or milliseconds.", name)
        return float(seconds)


def _holds_truths(column: pl.Series) -> bool:
    told = column.drop_nulls().unique() if column.dtype == pl.String else column.clear()
    return len(told) > 0 and bool(told.is_in(SPELT_ALIKE).all())


def _wanted(value: Any, dtype: Any, separator: str) -> str:
    """What a column of this type holds, where the value is not that."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if dtype.is_numeric():
        most, said = (2**63 - 1024, "2^63") if dtype.is_integer() else (sys.float_info.max, "1e308")  # as floats: they come as such
        return "numbers" if not number else "" if abs(value) <= most else f"numbers below {said}"
    if dtype == pl.Boolean:
        return "" if isinstance(value, bool) else "true or false"
    if isinstance(dtype, pl.List):
        inner = value if isinstance(value, list) else [value]
        if dtype.inner.is_numeric():
            return "" if isinstance(value, list) and all(not _wanted(one, dtype.inner, separator) for one in inner) else "lists of numbers"
        return "" if all(isinstance(one, str) for one in inner) else f"texts: a list, or one text with {separator} between them"
    return "" if isinstance(value, str) else "text"
