from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from germane import times
from germane.data import clock
from germane.errors import DataError

moments = st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1))
zones = st.sampled_from([None, UTC, timezone(timedelta(hours=5, minutes=30)), timezone(-timedelta(hours=3))])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(moments, zones, st.sampled_from(["T", " "]), st.sampled_from(["auto", "minutes", "milliseconds", "date"])), min_size=1))
def test_a_column_is_read_as_its_values_are(entries: list[tuple[datetime, timezone | None, str, str]]) -> None:
    written = [
        m.date().isoformat() if spec == "date" else m.replace(tzinfo=zone).isoformat(sep, "auto" if spec == "auto" else spec)
        for m, zone, sep, spec in entries
    ]
    assert clock.seconds(pl.Series(written)).to_list() == pytest.approx([times.parse(text) for text in written], abs=1e-5)


@given(st.lists(st.floats(-1e14, 1e14), min_size=1), st.sampled_from([None, "UTC", "Europe/Berlin"]))
@settings(max_examples=100, deadline=None)
def test_epochs_by_zone(numbers: list[float], zone: str | None) -> None:
    numbers = [n for n in numbers if 0 < abs(n) < 2e9 or 1e11 <= abs(n) < 2e12] or [1e9]
    assert clock.seconds(pl.Series(numbers), zone).to_list() == pytest.approx([times.parse(n, zone) for n in numbers], abs=1e-3)


def test_texts_of_every_kind_side_by_side() -> None:
    written = ["20260501", "1777593600", "1777593600000", "2026-05-01", "2026-05-01T00:00Z", "2026-W18-5", " 2026-05-01 ", "2026-05-01T00", None]
    assert clock.seconds(pl.Series(written)).to_list() == [1777593600.0] * 8 + [None]


def test_the_column_decides_whether_eight_digits_are_a_date() -> None:
    since_start = [str(10_000_000 + 40_013 * k) for k in range(2_000)]
    assert clock.seconds(pl.Series([*since_start, "20000101", None])).to_list() == [*map(float, since_start), 20000101.0, None]
    dates = clock.seconds(pl.Series(["20260501", " 20260502", "20260532", None]))  # a slip is no epoch
    assert dates.to_list() == [1777593600.0, 1777680000.0, None, None]
    assert clock.seconds(pl.Series(["17770501"]), form="%Y%m%d").to_list() == [times.parse("1777-05-01")]


def test_what_is_no_time_is_null() -> None:
    assert clock.seconds(pl.Series(["yesterday", "2026-13-01", "2026-02-30", ""])).null_count() == 4
    assert clock.seconds(pl.Series([1e15, float("inf")])).null_count() == 2
    assert clock.seconds(pl.Series([True])).null_count() == 1


def test_numbers_do_not_look_like_times() -> None:
    assert clock.looks_like_times(pl.Series(["2026-05-01", None]))
    assert not clock.looks_like_times(pl.Series(["20260501"])) and not clock.looks_like_times(pl.Series([None], dtype=pl.String))


def test_zone_must_exist() -> None:
    clock.check_zone("Europe/Berlin")
    with pytest.raises(DataError, match="no time zone"):
        clock.check_zone("Europe/Berln")


def test_dates_as_people_write_them() -> None:
    column = pl.Series(["24.12.2025 18:30", None, " 01.01.2026 00:05 "])
    assert clock.written_forms(column) == ["%d.%m.%Y %H:%M"]
    assert (
        clock.seconds(column, form="%d.%m.%Y %H:%M").to_list() == clock.seconds(pl.Series(["2025-12-24T18:30", None, "2026-01-01T00:05"])).to_list()
    )
    assert clock.seconds(pl.Series(["24.12.2025", "rain"]), form="%d.%m.%Y").to_list() == [1766534400.0, None]
    assert clock.written_forms(pl.Series(["12/24/2025 6:30 PM", "1/2/2026 7:05 AM"])) == ["%m/%d/%Y %I:%M %p"]
    assert clock.written_forms(pl.Series(["01/02/2026"])) == ["%d/%m/%Y", "%m/%d/%Y"]
    assert clock.written_forms(pl.Series(["rain", "sun"])) == clock.written_forms(pl.Series([None], dtype=pl.String)) == []


@pytest.mark.parametrize(
    ("form", "good"), [("%d.%m.%Y", True), ("%b %d, %Y %I:%M %p", True), ("%Y", False), ("%H:%M", False), ("%Q", False), ("%", False)]
)
def test_forms_that_read_a_date(form: str, good: bool) -> None:
    assert clock.check_form(form) is good
