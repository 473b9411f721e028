from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from germane import times
from germane.errors import DataError

NINE = 9 * 3600.0


class _NaT(datetime):
    """As pandas' own: a datetime that is equal to nothing, not even to itself."""

    __hash__ = datetime.__hash__

    def __eq__(self, other: object) -> bool:
        return False


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (0, 0.0),
        (1.5, 1.5),
        (-86400, -86400.0),
        ("1970-01-01", 0.0),
        ("1970-01-01T09:00", NINE),
        ("1970-01-01 09:00:00.25", NINE + 0.25),
        ("  1970-01-02 ", 86400.0),
        ("1970-01-01T09:00Z", NINE),
        ("1970-01-01T09:00+02:00", NINE),  # the wall clock of that offset, not UTC
        ("1970-01-01T09:00-11:00", NINE),
        ("874965758", 874965758.0),
        (874965758, 874965758.0),
        (1_700_000_000_000, 1_700_000_000.0),  # milliseconds
        ("1700000000000", 1_700_000_000.0),
        ("1712012341230", 1_712_012_341.23),  # which Python reads as 23 January 1712, too
        ("20240101123", 20_240_101_123.0),
        ("-5.5", -5.5),
        ("20260501", 1_777_593_600.0),  # a date
        (datetime(1970, 1, 1, 9), NINE),
        (date(1970, 1, 2), 86_400.0),
        (np.int64(874965758), 874965758.0),
        (np.float32(0.5), 0.5),
        (np.datetime64("1970-01-01T09:00", "ns"), NINE),
        (np.datetime64("1970-01-02", "D"), 86_400.0),
        (datetime(1970, 1, 1, 9, tzinfo=UTC), NINE),
        (datetime(1970, 1, 1, 9, tzinfo=timezone(timedelta(hours=5))), NINE),
    ],
)
def test_wall_clock_seconds(value, seconds):
    assert times.parse(value) == seconds


def test_epochs_are_utc_unless_a_zone_is_said():
    assert times.parse(0, "UTC") == 0
    assert times.parse(0, "utc") == 0
    assert times.parse(0, "Asia/Tokyo") == NINE
    assert times.parse("0", "Asia/Tokyo") == NINE
    assert times.parse(1_700_000_000_000, "Asia/Tokyo") == 1_700_000_000 + NINE
    # Summer time is that of the day: 1 July 2024, noon UTC.
    assert times.parse(1_719_835_200, "Europe/Berlin") == times.parse("2024-07-01T14:00")


def test_a_zone_does_not_move_written_times():
    assert times.parse("1970-01-01T09:00", "Asia/Tokyo") == NINE


def test_seconds_and_milliseconds_part_at_the_stated_number():
    assert times.parse(times.MILLISECONDS_FROM - 1) == times.MILLISECONDS_FROM - 1
    assert times.parse(times.MILLISECONDS_FROM) == times.MILLISECONDS_FROM / 1000
    assert times.parse(-times.MILLISECONDS_FROM) == -times.MILLISECONDS_FROM / 1000


@pytest.mark.parametrize(
    "value",
    [
        "yesterday",
        "",
        "2026-13-01",
        "21:00:99x",
        True,
        float("nan"),
        float("inf"),
        1e15,
        "1e15",
        None,
        [0],
        np.True_,
        np.datetime64("NaT"),
        np.complex64(1),
        _NaT(2026, 5, 1),
    ],
)
def test_what_is_no_time(value):
    with pytest.raises(DataError, match="is not a time"):
        times.parse(value)


@given(st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)))
def test_written_and_read_again(moment):
    seconds = times.parse(moment.isoformat())
    assert times.parse(moment) == seconds
    assert times.parse(times.show(seconds)) == pytest.approx(seconds, abs=1)


def test_what_is_on_the_wall_is_moved_once():
    for value in ("1970-01-01T09:00", 0, datetime(1970, 1, 1, 9)):
        once = times.parse(value, "Asia/Tokyo")
        assert isinstance(once, times.Wall) and once == NINE
        assert times.parse(once, "Asia/Tokyo") == times.read(once) == NINE
    assert not isinstance(times.read("874965758"), times.Wall) and times.wall(None) is None


def test_where_the_calendar_ends_no_zone_is_known():
    assert times.parse(-9.9e10, "Asia/Tokyo") == -9.9e10


def test_show():
    assert times.show(0) == "1970-01-01T00:00:00"
    assert times.show(-1) == "1969-12-31T23:59:59"


def test_now_is_the_wall_clock():
    assert abs(times.now() - times.parse(datetime.now())) < 5
    assert abs(times.now("Asia/Tokyo") - times.now("utc") - NINE) < 5
