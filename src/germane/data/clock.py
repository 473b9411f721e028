"""Columns of times as seconds of the wall clock: the rules of ``germane.times``, a whole column at once."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from .. import times
from ..errors import DataError

__all__ = ["check_form", "check_zone", "looks_like_times", "seconds", "written_forms"]

_OFFSET = r"(?:Z|z|[+-][0-9]{2}(?::?[0-9]{2}(?::?[0-9]{2}(?:\.[0-9]+)?)?)?)$"
_ISO = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
_NUMBER = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"
_COMPACT = r"^[0-9]{8}$"
_YEARS = (1900, 2099)
"""Of compact dates such as 20260501: outside, eight digits are more likely seconds of a clock that began at 0."""
_MOMENT = datetime(2026, 5, 31, 21, 4, 5, tzinfo=UTC)
DAYS = ("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%Y/%m/%d", "%Y.%m.%d")
CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", ", %H:%M", ", %H:%M:%S")


def seconds(column: pl.Series, zone: str | None = None, form: str | None = None) -> pl.Series:
    """Float64 seconds; null where a cell is missing or is no time at all (compare null counts to tell). ``form``: how texts are written, if not
    as ISO has it.

    >>> seconds(pl.Series(["1970-01-01T01:00+01:00", "1970-01-02", None])).to_list()
    [3600.0, 86400.0, None]
    """
    kind = column.dtype
    if kind == pl.Date:
        column, kind = column.cast(pl.Datetime("us")), pl.Datetime("us")
    if isinstance(kind, pl.Datetime):
        wall = column.dt.replace_time_zone(None) if kind.time_zone else column
        return _from_datetimes(wall)
    if kind.is_numeric():
        return _from_epochs(column.cast(pl.Float64), zone)
    if kind != pl.String:
        return pl.Series(column.name, [None] * len(column), dtype=pl.Float64)
    return _from_text(column, zone) if form is None else _from_form(column.str.strip_chars(), form)


def looks_like_times(column: pl.Series) -> bool:
    """Whether text is dates throughout. Bare numbers are not: nothing tells 2026 the year from 2026 the second."""
    texts = column.drop_nulls().str.strip_chars()
    return len(texts) > 0 and bool(texts.head(1000).str.contains(_ISO).all()) and seconds(texts).null_count() == 0


def written_forms(column: pl.Series) -> list[str]:
    """Of dates as people write them, the forms in which the whole column can be read: several where nothing tells the day from the month.

    >>> written_forms(pl.Series(["24.12.2025 18:30", "01.01.2026 00:05"])), written_forms(pl.Series(["01/02/2026", "03/02/2026"]))
    (['%d.%m.%Y %H:%M'], ['%d/%m/%Y', '%m/%d/%Y'])
    """
    texts = column.drop_nulls().str.strip_chars()
    some = texts.head(100)
    likely = [day + clock for day in DAYS for clock in CLOCKS if len(some) and not _from_form(some, day + clock).has_nulls()]
    return [form for form in likely if not _from_form(texts, form).has_nulls()]


def check_form(form: str) -> bool:
    """Whether dates can be read by it, as strftime writes them."""
    try:
        read = _from_form(pl.Series([_MOMENT.strftime(form)]), form)[0]
    except (ValueError, pl.exceptions.PolarsError):
        return False
    return read is not None and read // 86_400 == _MOMENT.timestamp() // 86_400


def check_zone(zone: str | None) -> None:
    """Refuse a name that is no time zone."""
    if zone is not None:
        try:
            times.parse(0, zone)
        except (KeyError, OSError, ValueError):  # ZoneInfoNotFoundError is a KeyError
            raise DataError(f"timezone = {zone!r} is no time zone: give a name such as 'Europe/Berlin', or 'UTC'.") from None


def _from_datetimes(column: pl.Series) -> pl.Series:
    return column.dt.timestamp("us").cast(pl.Float64) / 1e6


def _from_form(texts: pl.Series, form: str) -> pl.Series:
    return _from_datetimes(texts.str.to_datetime(form, time_unit="us", strict=False, exact=True))


def _from_epochs(column: pl.Series, zone: str | None) -> pl.Series:
    frame = column.to_frame("t")
    t = pl.col("t")
    sane = pl.when(t.is_finite() & (t.abs() <= 1e14)).then(pl.when(t.abs() >= times.MILLISECONDS_FROM).then(t / 1000).otherwise(t))
    result = frame.select(sane).to_series()
    if zone is None or zone.upper() == "UTC":
        return result.alias(column.name)
    moments = (result * 1e6).round().cast(pl.Int64).cast(pl.Datetime("us", "UTC"))
    return _from_datetimes(moments.dt.convert_time_zone(zone).dt.replace_time_zone(None)).alias(column.name)


def _from_text(column: pl.Series, zone: str | None) -> pl.Series:
    text = column.str.strip_chars()
    compact = _compact_dates(text)
    numbers = text.str.contains(_NUMBER) & ~compact
    if numbers.drop_nulls().all():
        return _from_epochs(text.cast(pl.Float64, strict=False), zone)
    frame = text.to_frame("t").with_columns(n=numbers, c=compact)
    bare = pl.col("t").str.replace(r"^([0-9]{4}-[0-9]{2}-[0-9]{2}) ", "${1}T").str.replace(r"(T.*?)" + _OFFSET, "${1}")
    frame = frame.with_columns(bare=pl.when(pl.col("t").str.contains(_ISO)).then(bare), seconds=pl.lit(None, pl.Float64))
    for form in ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d"):
        if frame["seconds"].null_count() > frame["t"].null_count():
            read = pl.col("bare").str.to_datetime(form, time_unit="us", strict=False, exact=True).dt.timestamp("us") / 1e6
            frame = frame.with_columns(seconds=pl.coalesce("seconds", read))
    if frame["c"].any():
        dates = _from_form(frame["t"].set(~frame["c"].fill_null(False), None), "%Y%m%d")
        frame = frame.with_columns(seconds=pl.coalesce("seconds", dates))
    if frame["n"].any():
        epochs = _from_epochs(frame["t"].set(~frame["n"].fill_null(False), None).cast(pl.Float64, strict=False), zone)
        frame = frame.with_columns(seconds=pl.coalesce("seconds", epochs))
    rest = frame.filter(pl.col("seconds").is_null() & ~pl.col("c"))["t"].unique()
    if len(rest):  # rarer ISO forms, one value at a time
        known = {value: _one(value, zone) for value in rest.to_list()}
        other = pl.col("t").replace_strict(list(known), list(known.values()), default=None, return_dtype=pl.Float64)
        frame = frame.with_columns(seconds=pl.coalesce("seconds", other))
    return frame["seconds"].alias(column.name)


def _compact_dates(text: pl.Series) -> pl.Series:
    """Which cells are dates without signs between, as 20260501 is: those of eight digits, if most of these are dates of our time. The column decides,
    so that one slip among dates is a fault that can be named, and one likely number among seconds no date."""
    compact = text.str.contains(_COMPACT)
    if not compact.any():
        return compact
    low, high = _YEARS
    likely = text.filter(compact).str.to_date("%Y%m%d", strict=False).dt.year().is_between(low, high).fill_null(False)
    return compact if likely.sum() > len(likely) / 2 else compact & False


def _one(value: str, zone: str | None) -> float | None:
    try:
        return times.parse(value, zone)
    except (DataError, ValueError, OverflowError):
        return None
