"""Filters over item columns, as queries carry them: ``{"eq": [column, value]}``, ``in``, ``range``, ``and``, ``or``, ``not``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from .. import times
from ..errors import DataError, QueryError, nearest
from .truths import spellings

__all__ = ["Filter", "parse"]

SHAPES = '{"eq": [column, value]}, {"in": [column, [values]]}, {"range": [column, low, high]}, {"and": [..]}, {"or": [..]}, {"not": filter}'
DEEPEST = 32


@dataclass(frozen=True)
class Filter:
    """A checked filter: an expression over the items table."""

    expression: pl.Expr

    def mask(self, items: pl.DataFrame) -> NDArray[np.bool_]:
        """[items] which items pass; a missing value passes nothing."""
        return np.asarray(items.select(self.expression.fill_null(False).alias("pass"))["pass"].to_numpy(), dtype=bool)


def parse(given: Mapping[str, Any], items: pl.DataFrame) -> Filter:
    """Check a filter against the columns of ``items``. On several-valued columns ``eq`` and ``in`` mean "contains"; null means "missing".

    >>> items = pl.DataFrame({"id": ["a", "b"], "genres": [["Comedy"], ["Drama", "War"]], "year": [1995, 1999]})
    >>> parse({"and": [{"eq": ["genres", "War"]}, {"range": ["year", 1996, None]}]}, items).mask(items).tolist()
    [False, True]
    """
    return Filter(_expression(given, items, 0))


def _expression(given: Any, items: pl.DataFrame, depth: int) -> pl.Expr:
    if depth > DEEPEST:
        raise QueryError(f"the filter is nested more than {DEEPEST} deep: flatten it.", "filter")
    if not isinstance(given, Mapping) or len(given) != 1 or not isinstance(next(iter(given)), str):
        raise QueryError(f"filter {given!r} is not one of {SHAPES}.", "filter")
    verb, inside = next(iter(given.items()))
    if verb == "not":
        return ~_expression(inside, items, depth + 1).fill_null(False)
    if verb in ("and", "or"):
        if not isinstance(inside, list | tuple) or not inside:
            raise QueryError(f"filter {verb!r} needs a list of filters, got {inside!r}.", "filter")
        parts = [_expression(part, items, depth + 1).fill_null(False) for part in inside]
        return pl.all_horizontal(parts) if verb == "and" else pl.any_horizontal(parts)
    sizes = {"eq": 2, "in": 2, "range": 3}
    if verb not in sizes:
        raise QueryError(f"filter {verb!r} is not known; filters are {SHAPES}.{nearest(verb, [*sizes, 'and', 'or', 'not'])}", "filter")
    if not isinstance(inside, list | tuple) or len(inside) != sizes[verb] or not isinstance(inside[0], str):
        raise QueryError(f"filter {verb!r} got {inside!r}; write {SHAPES}.", "filter")
    name = inside[0]
    if name not in items.columns:
        raise QueryError(
            f"filter column {name!r} is not in the catalogue; columns are {', '.join(items.columns)}.{nearest(name, items.columns)}", "filter"
        )
    column, dtype = pl.col(name), items.schema[name]
    if dtype.is_numeric():
        column = column.cast(pl.Float64)
    elif dtype.is_temporal():
        column = (column.dt.replace_time_zone(None) if isinstance(dtype, pl.Datetime) else column).cast(pl.Datetime("us"))
    if verb == "range":
        if not (dtype.is_numeric() or dtype.is_temporal()):
            raise QueryError(f"filter 'range' needs a column of numbers or times; {name!r} holds {_holds(dtype)}.", "filter")
        low, high = (None if bound is None else _value(bound, dtype, name) for bound in inside[1:])
        bounds = ([column >= low] if low is not None else []) + ([column <= high] if high is not None else [])
        return pl.all_horizontal(bounds) if bounds else column.is_not_null()
    if verb == "in" and not isinstance(inside[1], list | tuple):
        raise QueryError(f"filter 'in' needs a list of values, got {inside[1]!r}.", "filter")
    given_values = list(inside[1]) if verb == "in" else [inside[1]]
    held = [_value(value, dtype, name) for value in given_values if value is not None]
    values = [one for value in held for one in (spellings(value) if isinstance(value, str) else (value,))]
    if isinstance(dtype, pl.List):
        matches = column.list.eval(pl.element().cast(pl.String).is_in(values)).list.any()
    elif dtype.is_numeric() or dtype.is_temporal():
        matches = column.is_in(values)
    else:
        matches = column.cast(pl.String).is_in(values)
    return matches.fill_null(False) | column.is_null() if None in given_values else matches


def _value(value: Any, dtype: pl.DataType, name: str) -> Any:
    """A filter's value as the column holds it."""
    if isinstance(value, Mapping | list | tuple):
        raise QueryError(f"filter column {name!r} is compared with {value!r}: give a single value.", "filter")
    if dtype.is_temporal():
        seconds = _seconds(value, name)
        if not times.in_calendar(seconds):
            raise QueryError(f"filter column {name!r} is compared with {value!r}: give a time in the years 1 to 9999.", "filter")
        return datetime(1970, 1, 1) + timedelta(seconds=seconds)
    if dtype.is_numeric():
        try:
            number = float(value)
        except (TypeError, ValueError):
            return _seconds(value, name)  # columns of times are seconds
        except OverflowError:  # a whole number beyond what a column of numbers holds
            number = math.inf
        if not math.isfinite(number):
            raise QueryError(f"filter column {name!r} is compared with {str(value)[:60]}: give a finite number, below 1e308.", "filter")
        return number
    if isinstance(value, bool):
        return str(value).lower()  # as polars writes it
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _seconds(value: Any, name: str) -> float:
    try:
        return times.parse(value)
    except DataError:
        raise QueryError(f"filter column {name!r} holds numbers or times, and {value!r} is neither.", "filter") from None


def _holds(dtype: pl.DataType) -> str:
    return "several values a cell" if isinstance(dtype, pl.List) else "text"
