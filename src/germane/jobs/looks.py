"""What the values of a column look like, whatever it is called."""

from __future__ import annotations

import re

import polars as pl

from ..data.clock import looks_like_times, written_forms
from ..data.truths import truths
from ..data.values import as_text, as_written, detect, slip

__all__ = [
    "are_codes",
    "are_epochs",
    "are_links",
    "are_moments",
    "are_truths",
    "are_whole",
    "are_within",
    "belongs",
    "distinct",
    "forms_of",
    "is_time",
    "kind_of",
    "kinds_of",
    "liked",
    "numbers_of",
    "overlap",
    "why_unread",
]

QUANTITIES = "age year price cost budget count num number amount size length duration minutes rating score votes weight width height pages rank"
MOST_CATEGORIES = 50
DATES = "times, which no feature reads there: put a number of it, such as the year, in its place"


def kinds_of(values: pl.Series) -> set[str]:
    return set(as_text(values).drop_nulls().unique().head(1000).to_list()) if not values.dtype.is_nested() else set()


def distinct(values: pl.Series) -> int:
    """How many different values there are; empty cells are none."""
    return (values if values.dtype.is_nested() else as_text(values)).drop_nulls().n_unique()


def kind_of(values: pl.Series, context: bool = False) -> str:
    """``number``, ``times``, ``several`` (values in a cell), ``few`` (categories), ``wordy`` or ``many``."""
    if values.dtype.is_nested() and not isinstance(values.dtype, pl.List):
        return "many"
    detected = detect(values, context=context)
    if isinstance(values.dtype, pl.List) and values.dtype.inner.is_numeric():
        return "many"
    if detected in ("number", "time"):
        return "number" if detected == "number" else "times"
    if detected == "categories":
        return "several"
    texts = as_text(values).drop_nulls()
    kinds, words = texts.n_unique(), texts.str.count_matches(r"\S+").mean()
    if isinstance(words, float) and words >= 1.5 and kinds > max(20, 0.3 * len(texts)):
        return "wordy"
    return "few" if kinds <= max(MOST_CATEGORIES, len(texts) // 20) and kinds <= max(2, 0.5 * len(texts)) else "many"


def why_unread(values: pl.Series, many: str) -> str:
    """Why nothing can read a column that tells of an event, an item or a user: it holds times, or too ``many`` different values."""
    if detect(values) == "time":
        return DATES
    row = slip(values)
    return many if row is None else f"{many}; {values[row]!r} is no number, and nearly all others are: empty such cells"


def are_codes(column: str, values: pl.Series) -> bool:
    """Whether whole numbers stand for categories: few of them, and a name that measures nothing."""
    words = re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", column).lower())
    return are_whole(values) and values.n_unique() <= MOST_CATEGORIES and not set(words) & set(QUANTITIES.split())


def belongs(events: pl.DataFrame, key: str, column: str) -> bool:
    """Whether users or items that come again nearly always have the same value of this column."""
    if events[column].dtype.is_nested():
        return False
    owners = events.select(key, column).drop_nulls().group_by(key).agg(pl.len().alias("rows"), pl.col(column).n_unique().alias("values"))
    again = owners.filter(pl.col("rows") > 1)
    return again.height >= 10 and float((again["values"] == 1).mean() or 0.0) > 0.98  # type: ignore[arg-type]


def are_moments(values: pl.Series) -> bool:
    """Whether each value is a moment by itself; an hour of the day and a duration are none."""
    values = as_written(values)
    return values.dtype == pl.Date or isinstance(values.dtype, pl.Datetime) or (values.dtype == pl.String and looks_like_times(values))


def is_time(values: pl.Series) -> bool:
    if are_moments(values):
        return True
    if values.dtype.is_temporal():
        return False
    numbers = numbers_of(values)
    if numbers.null_count() > values.null_count() or not len(values):
        return False
    low, high = numbers.min(), numbers.max()
    if not isinstance(low, float) or not isinstance(high, float):
        return False
    return (low >= 1e8 and high < 5e9) or (low >= 1e11 and high < 5e12)  # from 1973 on, in seconds or milliseconds


def forms_of(values: pl.Series) -> list[str]:
    """Of dates as people write them, the forms that fit; none of anything else."""
    return written_forms(values) if values.dtype == pl.String else []


def are_epochs(values: pl.Series) -> bool:
    """Whole numbers that lie between 2000 and 2035 as seconds or as milliseconds, all of them, and seldom come twice."""
    if values.dtype.is_nested() or values.dtype.is_temporal() or values.dtype == pl.Boolean or not len(values):
        return False
    numbers = numbers_of(values)
    if numbers.has_nulls() or not are_whole(values) or numbers.n_unique() <= len(numbers) / 2:
        return False
    return any(numbers.is_between(946_684_800 * unit, 2_051_222_400 * unit).all() for unit in (1, 1000))


def numbers_of(values: pl.Series) -> pl.Series:
    """Null where a cell is no number; a comma may be the decimal mark."""
    values = as_written(values)
    if values.dtype == pl.String:
        values = values.str.strip_chars().str.replace(",", ".", literal=True)
    elif not values.dtype.is_numeric() and values.dtype != pl.Boolean:
        return pl.Series(values.name, [None] * len(values), dtype=pl.Float64)
    return values.cast(pl.Float64, strict=False)


def are_whole(values: pl.Series) -> bool:
    numbers = numbers_of(values).drop_nulls()
    return bool((numbers % 1 == 0).all())


def are_within(values: pl.Series, most: float) -> bool:
    numbers = numbers_of(values)
    return numbers.null_count() == values.null_count() and bool((numbers.drop_nulls().abs() <= most).all())


def are_links(values: pl.Series) -> bool:
    if values.dtype != pl.String:
        return False
    texts = values.drop_nulls().head(100)
    return len(texts) > 0 and bool(texts.str.contains(r"(?i)^https?://|\.(?:jpe?g|png|gif|webp)$").all())


def are_truths(values: pl.Series) -> bool:
    """Whether the values say yes and no, in numbers or in words, and nothing else."""
    told = values.drop_nulls() if values.dtype != pl.String else values.filter(values.str.strip_chars() != "").drop_nulls()
    return not values.dtype.is_nested() and truths(told).n_unique() == 2 and not truths(told).has_nulls()


def overlap(values: pl.Series, keys: pl.Series) -> float:
    """The share of different values that are keys."""
    if values.dtype.is_nested() or keys.dtype.is_nested():
        return 0.0
    mine, theirs = as_text(values).drop_nulls().unique(), as_text(keys).drop_nulls().unique()
    return float(mine.is_in(theirs.implode()).mean() or 0.0) if len(mine) else 0.0  # type: ignore[arg-type]


def liked(values: pl.Series) -> str | None:
    numbers = numbers_of(values).drop_nulls()
    low, high = numbers.min(), numbers.max()
    if not isinstance(low, float) or not isinstance(high, float) or not (0 <= low < high <= 10) or numbers.n_unique() > 20:
        return None
    return f">= {low + 0.75 * (high - low):.2g}"
