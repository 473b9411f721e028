from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from germane.errors import DataError, QueryError
from germane.types import Event, Feedback, Note, Query, Reason, Slate, SlateItem
from germane.wire import query_from_json


@pytest.fixture
def slate():
    items = (SlateItem("i1", 1, 0.9, 0.5), SlateItem("i2", 2, 0.1, 0.25, (Reason("popularity", "all", 0.1, "popular"),)))
    return Slate("r1", "u1", "v1", "Greedy", "exact", items, (Note("short", "two are left"),))


def test_an_empty_query_is_an_unknown_visitor_now():
    query = Query()
    assert [getattr(query, f.name) for f in dataclasses.fields(query)] == [None, None, None, {}, None, None, None, None]


def test_history_takes_ids_and_events():
    event = Event("i2", kind="buy", context={"device": "tv"})
    query = Query(history=("i1", event, 7))
    assert query.history == (Event("i1"), event, Event("7"))
    assert Query(history=["i1"]).history == (Event("i1"),)
    assert Query(history=()).history == ()


def test_ids_stay_as_written():
    assert Query(candidates=("007", "ä/β", 3)).candidates == ("007", "ä/β", "3")
    assert Query(candidates=[]).candidates == ()


def test_whole_numbers_are_ids_too_as_in_tables():
    assert Query(user=3, history=[1, np.int64(2)], candidates=[np.int32(4)]) == Query(user="3", history=["1", "2"], candidates=["4"])
    assert Event(5) == Event("5") and Query(history=[{"item": 5}]).history == (Event("5"),)
    assert Query(user="").user == "" and Query(user=None).user is None


def test_time_becomes_wall_clock_seconds():
    assert Query(time="1970-01-01T01:00").time == 3600.0
    assert Query(time=1_700_000_000_000).time == 1_700_000_000.0
    assert Query(time=5.0).time == 5.0
    with pytest.raises(DataError, match="is not a time"):
        Query(time="soon")


def test_kinds_that_count_as_seen():
    assert Query(exclude_seen=["buy"]).exclude_seen == ("buy",)
    assert Query(exclude_seen=False).exclude_seen is False


@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        ({"words": 5}, "words", "not text"),
        ({"context": [1]}, "context", "names with values"),
        ({"context": "rain"}, "context", "names with values"),
        ({"candidates": "i01"}, "candidates", "'i01' has to be a list of ids"),
        ({"candidates": 5}, "candidates", "a list of ids"),
        ({"history": "i01"}, "history", "'i01' has to be a list"),
        ({"history": {"item": "i1"}}, "history", "has to be a list"),
        ({"history": [{"itm": "i1"}]}, "history[0]", "an event has item"),
        ({"history": ["i1", Event("i2", context=[1])]}, "history[1].context", "names with values"),
        ({"exclude_seen": "buy"}, "exclude_seen", "'buy' has to be true, false, or a list of kinds"),
        ({"exclude_seen": 1}, "exclude_seen", "true, false"),
        ({"user": 1.5}, "user", "user = 1.5 is no id: give text, or a whole number."),
        ({"user": True}, "user", "no id"),
        ({"candidates": ["i1", None]}, "candidates[1]", "no id"),
        ({"history": ["i1", 2.5]}, "history[1]", "no id"),
        ({"history": [{"item": ["i1"]}]}, "history[0].item", "history[0].item = ['i1'] is no id"),
    ],
)
def test_what_is_no_query_is_a_sentence(given, field, said):
    with pytest.raises(QueryError, match=re.escape(said)) as caught:
        Query(**given)
    assert caught.value.field == field
    if not any(isinstance(entry, Event) for entry in given.get("history", ())):
        with pytest.raises(QueryError):  # as JSON it is none either
            query_from_json(given)


def test_events_come_as_mappings_too():
    assert Query(history=[{"item": "i1", "kind": "buy"}]) == Query(history=[Event("i1", kind="buy")])
    assert Query(context=None).context == {} and Query(exclude_seen={"buy"}).exclude_seen == ("buy",)


@pytest.mark.parametrize(
    "noun", [Query(), Event("i"), Feedback("r", "i", 1.0), Note("a", "b"), SlateItem("i", 1, 0.0, 1.0)], ids=lambda n: type(n).__name__
)
def test_nouns_are_frozen(noun):
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(noun, dataclasses.fields(noun)[0].name, "other")


def test_a_misspelt_key_is_refused():
    with pytest.raises(TypeError, match="usr"):
        Query(usr="u1")


def test_feedback_belongs_to_a_shown_item(slate):
    assert slate.feedback("i2", 1, kind="click", time=3.0) == Feedback("r1", "i2", 1.0, "click", 3.0)
    with pytest.raises(QueryError, match="item 'i3' was not shown in recommendation r1") as caught:
        slate.feedback("i3", 1.0)
    assert caught.value.field == "item"


def test_a_reward_is_a_finite_number(slate):
    assert slate.feedback("i1", np.float32(0.5)) == Feedback("r1", "i1", 0.5) and Feedback("r1", 7, 1).item == "7"
    for wrong in ("x", "1", None, float("nan"), float("inf"), [1.0]):
        with pytest.raises(QueryError, match=r"is no finite number: give one, such as 1\.0") as caught:
            slate.feedback("i1", wrong)
        assert caught.value.field == "reward"
    with pytest.raises(QueryError, match="item = None is no id"):
        slate.feedback(None, 1.0)


def test_equal_nouns_are_equal(slate):
    assert slate == dataclasses.replace(slate)
    assert Query(user="u", context={"a": 1}) == Query(context={"a": 1}, user="u")
