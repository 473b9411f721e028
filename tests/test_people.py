from __future__ import annotations

import polars as pl
import pytest
import torch

from germane.errors import QueryError
from germane.features import Categories, FeatureSet, Numbers
from germane.people import People

USERS = pl.DataFrame({"id": ["a", "b", "c"], "town": ["Bath", "York", None], "age": [30.0, 50.0, 40.0], "mail": ["x", "y", "z"]})


@pytest.fixture
def people() -> People:
    types = {"town": "category", "age": "number"}
    return People(USERS, FeatureSet.fit([Categories(), Numbers()], USERS.select("town", "age"), types))


def row(people: People, code: int) -> list[float]:
    return [*people.moments.codes[code].tolist(), *people.moments.dense[code].tolist()]


def test_a_newcomer_counts_like_one_who_was_there(people: People) -> None:
    people.put({"new": {"town": "York", "age": 50, "shoe": 43}, "bare": {"shoe": 40}})
    assert people.codes == {"a": 0, "b": 1, "c": 2, "new": 3}  # of bare, nothing is known that answers read
    assert row(people, 3) == row(people, 1)
    assert not any(row(people, -1))  # the unknown one stays unknown
    assert people.users["town"].to_list() == ["Bath", "York", None, "York"] and people.users["mail"].to_list()[3] is None


def test_what_a_row_does_not_name_stays(people: People) -> None:
    before = row(people, 0)
    people.put({"a": {"town": "York"}, "b": {"town": None}})
    assert people.users["age"].to_list() == [30, 50, 40] and people.users["mail"].to_list() == ["x", "y", "z"]
    assert people.users["town"].to_list() == ["York", None, None]
    assert row(people, 0) != before and people.moments.dense[0].tolist() == before[-len(people.moments.dense[0]) :]
    people.put({"a": {"town": "Bath"}})
    assert row(people, 0) == before


def test_a_town_that_training_never_saw_is_unknown(people: People) -> None:
    people.put({"a": {"town": "Atlantis"}})
    assert people.moments.codes[0, 0] == people.moments.codes[2, 0]  # as where none is said


def test_the_forgotten_leave_no_trace_and_nobody_moves(people: People) -> None:
    others = [row(people, 0), row(people, 2)]
    people.forget("b")
    people.forget("nobody")
    assert "b" not in people.codes and not any(row(people, 1))
    assert [row(people, 0), row(people, 2)] == others
    assert "b" not in str(people.users.to_dicts()) and people.users["mail"].to_list() == ["x", None, "z"]
    people.put({"b": {"town": "Bath", "age": 30}})
    assert people.codes["b"] == 3 and row(people, 3) == row(people, 0)
    again = People(people.users, people.profile)  # as a saved run is opened
    assert again.codes == people.codes and torch.equal(again.moments.codes, people.moments.codes)


@pytest.mark.parametrize("age", ["old", True, [30]])
def test_a_number_is_a_number_and_nothing_is_half_taken(people: People, age: object) -> None:
    with pytest.raises(QueryError, match="is not a number"):
        people.put({"a": {"town": "York"}, "b": {"age": age}})
    assert people.users.equals(USERS)


def test_several_values_are_refused_where_one_is_held(people: People) -> None:
    with pytest.raises(QueryError, match=r"town = \['Bath', 'York'\] is several values, and this column holds one"):
        people.put({"b": {"age": 20}, "a": {"town": ["Bath", "York"]}})
    assert people.users.equals(USERS)


def test_several_values_are_parted_as_the_config_says() -> None:
    users = pl.DataFrame({"id": ["a"], "likes": [["tea", "jam"]]})
    several = People(users, FeatureSet.fit([Categories()], users.select("likes"), {"likes": "categories"}), {"likes": ";"})
    several.put({"b": {"likes": "tea; jam"}})
    assert several.users["likes"].to_list()[1] == ["tea", "jam"] and row(several, 1) == row(several, 0)


def test_ids_that_are_whole_numbers_are_text(people: People) -> None:
    people.put({7: {"town": "York"}})  # type: ignore[dict-item]
    assert people.codes["7"] == 3 and people.users["id"].to_list() == ["a", "b", "c", "7"]
