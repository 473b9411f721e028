from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from germane.jobs import looks


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1,5", "2", None], "number"),
        ([" 1.5", "2 "], "number"),
        (["drama|war", "war", "comedy|war"], "several"),
        (["rain", "sun"] * 20, "few"),
        ([f"a quiet film {n}" for n in range(40)], "wordy"),
        ([f"id{n}" for n in range(400)], "many"),
    ],
)
def test_kinds(cells: list[str | None], kind: str) -> None:
    assert looks.kind_of(pl.Series(cells)) == kind


def test_lists_are_several_unless_they_hold_numbers() -> None:
    assert looks.kind_of(pl.Series([["a", "b"], ["c"]])) == "several"
    assert looks.kind_of(pl.Series([[0.5, 1.0]])) == looks.kind_of(pl.Series([{"x": 1}])) == "many"


def test_times_by_value() -> None:
    assert looks.is_time(pl.Series([1_700_000_000, 1_800_000_000])) and looks.is_time(pl.Series(["2026-05-01", None]))
    assert looks.is_time(pl.Series([1_700_000_000_000])) and looks.is_time(pl.Series([" 1700000000", "1800000000 "]))
    assert not any(looks.is_time(pl.Series(cells)) for cells in ([2026, 2027], ["rain"], [], [10**13]))


@given(st.lists(st.one_of(st.none(), st.integers(-(10**6), 10**6)), max_size=20))
def test_whole_numbers_are_whole_however_they_are_written(cells: list[int | None]) -> None:
    texts = pl.Series([None if cell is None else f"{cell},0" for cell in cells], dtype=pl.String)
    assert looks.are_whole(texts) and looks.numbers_of(texts).drop_nulls().to_list() == [cell for cell in cells if cell is not None]
    assert looks.are_within(texts, 10**6)
    assert not looks.are_whole(pl.Series(["0.5"])) and not looks.are_within(pl.Series(["rain"]), 1)


def test_numbers_and_times_in_columns_of_every_type() -> None:
    for kind in (pl.Categorical, pl.Enum(["4", "0,5"]), pl.Binary):
        assert looks.numbers_of(pl.Series(["4", "0,5", None]).cast(kind)).to_list() == [4.0, 0.5, None]
    assert looks.is_time(pl.Series(["2026-05-01", "2026-05-02"], dtype=pl.Categorical))
    for cells in ([b"\xff"], [{"a": 1}], [[1]], ["rain"], [timedelta(1)]):
        other = pl.Series(cells)
        assert looks.numbers_of(other).to_list() == [None] and not looks.is_time(other) and not looks.are_epochs(other)


def test_codes_links_and_owners() -> None:
    assert looks.are_codes("occupation", pl.Series([1, 2, 3])) and not looks.are_codes("releaseYear", pl.Series([1, 2, 3]))
    assert (
        looks.are_links(pl.Series(["https://a.b/c", "x.PNG"])) and not looks.are_links(pl.Series(["a film"])) and not looks.are_links(pl.Series([1]))
    )
    owners = pl.DataFrame({"user": [n % 12 for n in range(48)], "city": [n % 12 % 3 for n in range(48)], "sky": [n % 5 for n in range(48)]})
    assert looks.belongs(owners, "user", "city") and not looks.belongs(owners, "user", "sky")
    assert (
        looks.overlap(pl.Series(["a", "b"]), pl.Series(["b", "c"])) == 0.5 and looks.overlap(pl.Series([], dtype=pl.String), pl.Series(["a"])) == 0.0
    )
    assert looks.distinct(pl.Series(["a", "", None, "b"])) == 2 and looks.kinds_of(pl.Series(["a", "", "b"])) == {"a", "b"}
    assert looks.liked(pl.Series([1, 2, 3, 4, 5])) == ">= 4" and looks.liked(pl.Series([1.0, 400.0])) is None
