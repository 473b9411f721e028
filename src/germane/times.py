"""Times as seconds of the local wall clock, the one form in which every table, query and feature holds them.

Written times without an offset are the wall clock as they stand; with an offset they are the wall clock of that offset (the
offset itself is dropped: "21:00" is evening wherever it is). Epoch numbers, in seconds or milliseconds, are UTC unless a zone is said.
Who takes a time in may not know the zone yet: a query is made before it meets a recommender. So what stands on the wall clock is a ``Wall``, and a
bare number is an epoch until somebody who knows the zone reads it.
Columns are read by ``data/clock.py`` by the same rules; this module reads one value.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, tzinfo
from zoneinfo import ZoneInfo

import numpy as np

from .errors import DataError

__all__ = ["MILLISECONDS_FROM", "Time", "Wall", "in_calendar", "now", "parse", "read", "show", "wall"]

Time = datetime | date | str | float | int | np.generic
"""As people give it; a date is its midnight."""
MILLISECONDS_FROM = 1e11
"""Epoch numbers from here on are milliseconds: as seconds they would lie beyond the year 5100."""

_EPOCH_WRITTEN = re.compile(r"[+-]?(?!\d{8}$)\d+(\.\d*)?", re.ASCII)
"""Eight digits alone are a date, such as 20260501; of other lengths Python would read some as dates too."""
_EPOCH = datetime(1970, 1, 1)


class Wall(float):
    """Seconds of the wall clock, which no zone moves any more."""

    __slots__ = ()


def parse(value: Time, zone: str | None = None) -> Wall:
    """Wall-clock seconds of a datetime, an ISO string, or an epoch in seconds or milliseconds, of which ``zone`` is the wall clock.

    >>> parse("1970-01-01T01:00+01:00"), parse(0), parse("1970-01-02"), parse(0, "Asia/Tokyo")
    (3600.0, 0.0, 86400.0, 32400.0)
    """
    said = read(value)
    if isinstance(said, Wall):
        return said
    there = _zone(zone)
    if there is UTC:
        return Wall(said)
    try:
        return _wall(datetime.fromtimestamp(said, there))
    except (ValueError, OverflowError, OSError):  # where the calendar ends, no zone is known
        return Wall(said)


def read(value: Time) -> Wall | float:
    """A time as far as it can be read without a zone: written ones stand on the wall clock, epochs are seconds that wait for their zone.

    >>> isinstance(read("1970-01-02"), Wall), isinstance(read(86_400), Wall), isinstance(read("86400"), Wall)
    (True, False, False)
    """
    if isinstance(value, Wall):
        return value
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[us]")
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool):
        raise _no_time(value)
    if isinstance(value, int | float):
        if abs(value) > 1e14 or not math.isfinite(value):  # in this order: an int may be too large to be asked whether it is finite
            raise DataError(f"{value!r} is not a time: an epoch lies between 1 and 1e14 (seconds, or milliseconds).")
        return value / 1000 if abs(value) >= MILLISECONDS_FROM else float(value)
    if isinstance(value, str):
        text = value.strip()
        if _EPOCH_WRITTEN.fullmatch(text):
            return read(float(text))
        try:
            return _wall(datetime.fromisoformat(text))
        except ValueError:
            try:
                return read(float(text))
            except ValueError:
                raise _no_time(text) from None
    if isinstance(value, datetime) and value == value:  # pandas' NaT is one too
        return _wall(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return _wall(datetime(value.year, value.month, value.day))
    raise _no_time(value)


def wall(seconds: float | None) -> Wall | None:
    """Of seconds that are known to stand on the wall clock, as all tables hold them."""
    return None if seconds is None else Wall(seconds)


def show(seconds: float) -> str:
    """The ISO form, to the second; where the calendar ends, the seconds.

    >>> show(3600.0), show(-9e10)
    ('1970-01-01T01:00:00', '-90000000000')
    """
    if not in_calendar(seconds):
        return f"{seconds:.0f}"
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat(timespec="seconds")


def in_calendar(seconds: float) -> bool:
    """Whether these lie in the years 1 to 9999, which alone have an ISO form."""
    return _wall(datetime.min) <= seconds <= _wall(datetime.max)


def now(zone: str | None = None) -> Wall:
    """The wall clock of a zone; absent: of this machine."""
    return _wall(datetime.now(None if zone is None else _zone(zone)))


def _zone(name: str | None) -> tzinfo:
    return UTC if name is None or name.upper() == "UTC" else ZoneInfo(name)


def _wall(moment: datetime) -> Wall:
    return Wall((moment.replace(tzinfo=None) - _EPOCH).total_seconds())


def _no_time(value: object) -> DataError:
    return DataError(f"{value!r} is not a time: give an ISO time such as 2026-05-01T21:00, or epoch seconds.")
