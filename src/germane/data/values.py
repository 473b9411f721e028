"""Cells to values: what type a column has, and its cells as that type."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast, get_args

import polars as pl

from ..errors import ConfigError, DataError, nearest
from . import clock
from .columns import ColumnType
from .tables import Table

__all__ = ["MISSING", "as_categories", "as_numbers", "as_text", "as_times", "as_type", "as_written", "detect", "said_types", "slip"]

FEW = 50
"""Whole-number context columns with at most so many different values are categories."""
MISSING = ("", "na", "nan", "n/a", "null", "none")
"""What stands for a missing number, in any case of letters."""
FIRST = 1000
"""Cells that are looked at before all are."""
NEARLY = 0.9
"""Share of numbers from which on a cell that is none looks like a slip."""
_NUMBER = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"
_COMMA = r"^[+-]?[0-9]+(?:,[0-9]+)?$"
_THOUSANDS = r"^[+-]?[0-9]{1,3},[0-9]{3}$"
_LEADING_ZERO = r"^[+-]?0[0-9]"
_WHOLE = r"^[+-]?[0-9]+(?:\.0+)?$"


def said_types(given: Mapping[str, str]) -> tuple[dict[str, ColumnType], dict[str, str], dict[str, str]]:
    """``[data.types]`` as types, for several-valued columns separators, and for times the forms in which they are written.

    >>> said_types({"genres": "categories:;", "year": "number", "seen": "time:%d.%m.%Y"})
    ({'genres': 'categories', 'year': 'number', 'seen': 'time'}, {'genres': ';'}, {'seen': '%d.%m.%Y'})
    """
    types: dict[str, ColumnType] = {}
    separators: dict[str, str] = {}
    forms: dict[str, str] = {}
    allowed = get_args(ColumnType)
    wrong = []
    for column, said in given.items():
        kind, colon, more = said.partition(":")
        if kind not in allowed or (colon and (kind not in ("categories", "time") or not more)):
            others = "'categories:;' for another separator, 'time:%d.%m.%Y %H:%M' for times that are not written as ISO has it"
            wrong.append(f"[data.types] {column} = {said!r}: types are {', '.join(allowed)}; {others}.{nearest(kind, allowed)}")
            continue
        if kind == "time" and more and not clock.check_form(more):
            wrong.append(
                f"[data.types] {column} = {said!r}: no date can be read by {more!r}; %d %m %Y %H %M %S stand for its parts, without an offset."
            )
            continue
        types[column] = cast(ColumnType, kind)
        if kind == "categories":
            separators[column] = more or "|"
        elif more:
            forms[column] = more
    if wrong:
        raise ConfigError(wrong)
    return types, separators, forms


def detect(column: pl.Series, *, context: bool = False) -> ColumnType:
    """The type of a column that nobody stated.

    >>> detect(pl.Series(["rain", "sun"])), detect(pl.Series(["1.5", "2"])), detect(pl.Series(["a|b", "c"]))
    ('category', 'number', 'categories')
    """
    if column.dtype == pl.Binary:
        column = as_text(column)
    kind = column.dtype
    if isinstance(kind, pl.List | pl.Array):
        return "categories"
    if kind == pl.Date or isinstance(kind, pl.Datetime):
        return "time"
    if kind.is_numeric():
        numbers = (column.fill_nan(None) if kind.is_float() else column).drop_nulls()
    elif kind == pl.String:
        texts = column.str.strip_chars()
        texts = texts.filter(~texts.str.to_lowercase().is_in(MISSING)).drop_nulls()
        if len(texts) == 0:
            return "category"
        if clock.looks_like_times(texts):
            return "time"
        numeric = texts.str.contains(_NUMBER).all() or _decimal_comma(texts)
        if not numeric or texts.str.contains(_LEADING_ZERO).any():
            return "categories" if texts.str.contains("|", literal=True).mean() > 0.2 else "category"  # type: ignore[operator]
        numbers = texts.str.replace(",", ".", literal=True).cast(pl.Float64)
    else:
        return "category"
    if context and _whole(numbers) and numbers.n_unique() <= FEW:
        return "category"
    return "number"


def slip(column: pl.Series, *, context: bool = False) -> int | None:
    """The first cell without which the column would be numbers, where nearly all of its cells are; None: nothing looks like a slip.

    >>> slip(pl.Series([*"123456789", "", "n.a."])), slip(pl.Series(["1", "rain"]))
    (10, None)
    """
    column = as_written(column)
    if column.dtype != pl.String:
        return None
    for cells in (column.head(FIRST), column):  # most columns of categories are told by their first cells
        text = cells.str.strip_chars()
        there = ~text.str.to_lowercase().is_in(MISSING).fill_null(True)
        numbers = there & text.str.contains(f"{_COMMA}|{_NUMBER}").fill_null(False)
        if int(numbers.sum()) < NEARLY * int(there.sum()):
            return None
    if numbers.sum() == there.sum() or detect(column.filter(numbers), context=context) != "number":
        return None
    return int((there & ~numbers).arg_max() or 0)


def as_type(table: Table, name: str, kind: ColumnType, separator: str = "|", zone: str | None = None, form: str | None = None) -> pl.Series:
    """The column's cells as its type: String, List(String), or Float64 for numbers and times."""
    column = table.frame[name]
    match kind:
        case "number":
            return as_numbers(table, name)
        case "time":
            return as_times(table, name, zone, form)
        case "categories":
            return as_categories(column, separator)
        case "category":
            return _without_points(as_text(column))
        case _:
            return as_text(column)


def as_text(column: pl.Series) -> pl.Series:
    """Cells as written; empty cells are missing, whole floats lose their ".0" (pandas makes them of integers with gaps), bytes are UTF-8, or else
    told in hex."""
    kind = column.dtype
    if isinstance(kind, pl.List | pl.Array):
        text = _lists(column).list.join(", ", ignore_nulls=True)
    elif kind.is_float() and _whole(column.drop_nulls().drop_nans()):
        text = column.fill_nan(None).cast(pl.Int64).cast(pl.String)
    elif kind.is_float():
        text = column.fill_nan(None).cast(pl.String)
    elif kind in (pl.Object, pl.Duration) or kind.is_nested():
        text = pl.Series(column.name, [_said(cell) for cell in column.to_list()], dtype=pl.String)
    elif kind == pl.Binary:
        text = _decoded(column)
    else:
        text = column.cast(pl.String)
    return text.set(text == "", None) if (text == "").any() else text


def as_written(column: pl.Series) -> pl.Series:
    """Text that a table keeps as codes or as bytes, as text; any other column as it is.

    >>> as_written(pl.Series(["4", "5"], dtype=pl.Categorical)).to_list(), as_written(pl.Series([4, 5])).to_list()
    (['4', '5'], [4, 5])
    """
    return as_text(column) if column.dtype in (pl.Categorical, pl.Enum, pl.Binary) else column


def as_categories(column: pl.Series, separator: str) -> pl.Series:
    """List(String): several values a cell; blanks around a value and empty values are dropped."""
    if isinstance(column.dtype, pl.List | pl.Array):
        several = _lists(column)
    else:
        several = as_text(column).str.split(separator)
    cleaned = several.to_frame("v").select(
        pl.col("v").list.eval(pl.element().str.strip_chars().filter(pl.element().is_not_null() & (pl.element().str.strip_chars() != "")))
    )
    lists = cleaned.to_series().alias(column.name)
    return lists.to_frame("v").select(pl.when(pl.col("v").list.len() > 0).then("v")).to_series().alias(column.name)


def as_numbers(table: Table, name: str) -> pl.Series:
    """Float64; missing cells are null; text where a number belongs is an error that names file, line and value."""
    column = as_written(table.frame[name])
    kind = column.dtype
    if kind == pl.String:
        text = column.str.strip_chars()
        text = text.set(text.str.to_lowercase().is_in(MISSING), None)
        told = text.filter(text.str.contains(f"{_COMMA}|{_NUMBER}"))  # what is no number at all is what the error has to name
        comma = table.decimal == "," or (table.decimal is None and _decimal_comma(told))
        dotted = text.str.replace(",", ".", literal=True) if comma else text
        numbers = dotted.cast(pl.Float64, strict=False)
        bad = text.is_not_null() & ~numbers.is_finite().fill_null(False)
    elif kind.is_numeric() or kind in (pl.Boolean, pl.Null):
        numbers = column.cast(pl.Float64).fill_nan(None)
        bad = numbers.is_infinite().fill_null(False)
    else:
        numbers, bad = column, column.is_not_null()
    if bad.any():
        row = int(bad.arg_max() or 0)
        raise DataError(
            f"{table.place(row)}: column {name!r} holds {column[row]!r} where a number belongs. "
            f"Mend the cell, or say what the column holds in [data.types]."
        )
    return numbers.cast(pl.Float64).alias(name)


def as_times(table: Table, name: str, zone: str | None, form: str | None = None) -> pl.Series:
    """Float64 seconds of the wall clock; what is no time is an error that names file, line and value. ``form``: how texts are written."""
    column = as_written(table.frame[name])
    if column.dtype == pl.String:
        column = column.set(column.str.strip_chars().str.to_lowercase().is_in(MISSING), None)
    elif column.dtype.is_float():
        column = column.fill_nan(None)
    if column.dtype == pl.Null:
        return column.cast(pl.Float64)
    read = clock.seconds(column, zone, form)
    bad = read.is_null() & column.is_not_null()
    if bad.any():
        row = int(bad.arg_max() or 0)
        known = f"it is no time by {form!r}" if form else "give ISO times such as 2026-05-01T21:00, or epoch seconds or milliseconds"
        likely = [other for other in clock.written_forms(column) if other != form] if column.dtype == pl.String else []
        instead = f" The column can be read with [data.types] {name!r} = {' or '.join(repr(f'time:{other}') for other in likely)}." if likely else ""
        other = "" if form or likely else "; or say in [data.types] how it is written: 'time:%d.%m.%Y %H:%M'"
        raise DataError(f"{table.place(row)}: column {name!r} holds {column[row]!r} where a time belongs: {known}{other}.{instead}")
    return read.alias(name)


def _without_points(text: pl.Series) -> pl.Series:
    """Categories that are whole numbers throughout, spelt as JSON and tables of numbers have them: ``5`` for ``5.0``, which is what pandas writes
    where a column of them has gaps. Any others as they are."""
    return text.str.replace(r"\.0+$", "") if text.str.contains(_WHOLE).all() else text


def _lists(column: pl.Series) -> pl.Series:
    """List(String) of a column of lists, whatever these hold."""
    inner = column.dtype.inner if isinstance(column.dtype, pl.List | pl.Array) else None
    if inner is None or not (inner.is_nested() or inner in (pl.Binary, pl.Duration)):
        return column.cast(pl.List(pl.String))
    return pl.Series(column.name, [None if cell is None else [_said(one) for one in cell] for cell in column.to_list()], dtype=pl.List(pl.String))


def _decoded(column: pl.Series) -> pl.Series:
    try:
        return column.cast(pl.String)
    except pl.exceptions.PolarsError:  # some are no UTF-8
        return pl.Series(column.name, [_said(cell) for cell in column.to_list()], dtype=pl.String)


def _said(cell: object) -> str | None:
    """What no table has a type for, as text; what is nested as JSON."""
    if cell is None:
        return None
    if isinstance(cell, bytes):
        try:
            return cell.decode()
        except UnicodeDecodeError:
            return cell.hex()
    return json.dumps(cell, ensure_ascii=False, default=_said) if isinstance(cell, dict | list) else str(cell)


def _decimal_comma(texts: pl.Series) -> bool:
    """Whether the values are numbers with a decimal comma, rather than lists or thousands."""
    commas = texts.str.contains(",", literal=True)
    if not commas.any() or not texts.str.contains(_COMMA).all():
        return False
    return not texts.filter(commas).str.contains(_THOUSANDS).all()


def _whole(numbers: pl.Series) -> bool:
    if numbers.dtype.is_integer():
        return True
    return bool(((numbers % 1) == 0).all()) and bool((numbers.abs() < 2**53).all())
