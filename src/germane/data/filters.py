"""Filters over item columns, as queries carry them: ``{"eq": [column, value]}``, ``in``, ``range``, ``and``, ``or``, ``not``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..errors import QueryError, nearest

__all__ = ["Filter", "parse"]

SHAPES = '{"eq": [column, value]}, {"in": [column, [values]]}, {"range": [column, low, high]}, {"and": [..]}, {"or": [..]}, {"not": filter}'


@dataclass(frozen=True)
class Filter:
    """A checked filter: an expression over the items table."""

    expression: pl.Expr

    def mask(self, items: pl.DataFrame) -> NDArray[np.bool_]:
        """[items] which items pass; a missing value passes nothing."""
        return np.asarray(items.select(self.expression.fill_null(False).alias("pass"))["pass"].to_numpy(), dtype=bool)


def parse(given: Mapping[str, Any], items: pl.DataFrame) -> Filter:
    """Check a filter against the columns of ``items``.

    >>> items = pl.DataFrame({"id": ["a", "b"], "genres": [["Comedy"], ["Drama", "War"]], "year": [1995, 1999]})
    >>> parse({"and": [{"eq": ["genres", "War"]}, {"range": ["year", 1996, None]}]}, items).mask(items).tolist()
    [False, True]
    """
    return Filter(_expression(given, items))


def _expression(given: Any, items: pl.DataFrame) -> pl.Expr:
    if not isinstance(given, Mapping) or len(given) != 1:
        raise QueryError(f"filter {given!r} is not one of {SHAPES}.", "filter")
    verb, inside = next(iter(given.items()))
    if verb == "not":
        return ~_expression(inside, items).fill_null(False)
    if verb in ("and", "or"):
        if not isinstance(inside, list | tuple) or not inside:
            raise QueryError(f"filter {verb!r} needs a list of filters, got {inside!r}.", "filter")
        parts = [_expression(part, items).fill_null(False) for part in inside]
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
    if verb == "range":
        if not dtype.is_numeric():
            raise QueryError(f"filter 'range' needs a column of numbers; {name!r} holds {dtype}.", "filter")
        low, high = (_number(bound) for bound in inside[1:])
        bounds = ([column >= low] if low is not None else []) + ([column <= high] if high is not None else [])
        return pl.all_horizontal(bounds) if bounds else column.is_not_null()
    if verb == "in" and not isinstance(inside[1], list | tuple):
        raise QueryError(f"filter 'in' needs a list of values, got {inside[1]!r}.", "filter")
    values = list(inside[1]) if verb == "in" else [inside[1]]
    if isinstance(dtype, pl.List):
        return column.list.eval(pl.element().cast(pl.String).is_in([str(v) for v in values])).list.any()
    if dtype.is_numeric():
        return column.is_in([number for number in map(_number, values) if number is not None])
    return column.cast(pl.String).is_in([str(v) for v in values])


def _number(value: Any) -> float | None:
    if value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        raise QueryError(f"filter value {value!r} is not a number, but the column holds numbers.", "filter") from None
