"""Times as seconds of the local wall clock, the one form in which every table, query and feature holds them.

Written times without an offset are the wall clock as they stand; with an offset they are the wall clock of that offset (the
offset itself is dropped: "21:00" is evening wherever it is). Epoch numbers, in seconds or milliseconds, are UTC unless a zone is said.
Columns are read by ``data/readers.py`` by the same rules; this module reads one value.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from .errors import DataError

__all__ = ["MILLISECONDS_FROM", "in_calendar", "now", "parse", "show"]

MILLISECONDS_FROM = 1e11
"""Epoch numbers from here on are milliseconds: as seconds they would lie beyond the year 5100."""

_EPOCH = datetime(1970, 1, 1)


def parse(value: datetime | str | float | int, zone: str | None = None) -> float:
    """Wall-clock seconds of a datetime, an ISO string, or an epoch in seconds or milliseconds.

    >>> parse("1970-01-01T01:00+01:00"), parse(0), parse("1970-01-02")
    (3600.0, 0.0, 86400.0)
    """
    if isinstance(value, bool):
        raise DataError(f"{value!r} is not a time: give an ISO time such as 2026-05-01T21:00, or epoch seconds.")
    if isinstance(value, int | float):
        if abs(value) > 1e14 or not math.isfinite(value):  # in this order: an int may be too large to be asked whether it is finite
            raise DataError(f"{value!r} is not a time: an epoch lies between 1 and 1e14 (seconds, or milliseconds).")
        seconds = value / 1000 if abs(value) >= MILLISECONDS_FROM else float(value)
        if zone is None or zone.upper() == "UTC":
            return seconds
        return _wall(datetime.fromtimestamp(seconds, ZoneInfo(zone)))
    if isinstance(value, str):
        text = value.strip()
        try:
            value = datetime.fromisoformat(text)
        except ValueError:
            try:
                number = float(text)
            except ValueError:
                raise DataError(f"{text!r} is not a time: give an ISO time such as 2026-05-01T21:00, or epoch seconds.") from None
            return parse(number, zone)
    if not isinstance(value, datetime):
        raise DataError(f"{value!r} is not a time: give an ISO time such as 2026-05-01T21:00, or epoch seconds.")
    return _wall(value)


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


def now() -> float:
    """The wall clock of this machine."""
    return _wall(datetime.now())


def _wall(moment: datetime) -> float:
    return (moment.replace(tzinfo=None) - _EPOCH).total_seconds()
