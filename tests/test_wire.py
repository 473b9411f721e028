from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from germane import wire
from germane.errors import QueryError
from germane.times import Wall
from germane.types import Event, Feedback, Note, Query, Reason, Slate, SlateItem
from germane.wire import BatchBody, EventLine, EventsBody, Flat, MalformedError, QueryBody, RewardsBody

SLATE = Slate(
    "r1", "u1", "v1", "Greedy", "exact",
    (SlateItem("a", 1, 2.5, 1.0, (Reason("history", "b", 2.5, "like b"),)), SlateItem("b", 2, 0.5, 0.25)),
    (Note("short_list", "2 of 10"),),
)  # fmt: skip


def test_a_query_with_every_key() -> None:
    query, extras = wire.query_from_line(
        b'{"user": "u1", "history": ["a", {"item": "b", "time": "1970-01-02", "kind": "buy", "value": 2, "context": {"device": "tv"}}],'
        b' "time": "1970-01-01T01:00+01:00", "context": {"weather": "rain", "degrees": 3.5, "tags": ["x", "y"]}, "words": "short",'
        b' "candidates": ["a"], "filter": {"eq": ["genre", "Drama"]}, "exclude_seen": ["buy"], "n": 5, "explain": false, "explore": true}'
    )
    assert query.history == (Event("a"), Event("b", 86400.0, "buy", 2.0, {"device": "tv"}))
    assert (query.user, query.time, query.words, query.candidates, query.exclude_seen) == ("u1", 3600.0, "short", ("a",), ("buy",))
    assert query.context == {"weather": "rain", "degrees": 3.5, "tags": ["x", "y"]} and query.filter == {"eq": ["genre", "Drama"]}
    assert extras == {"n": 5, "explain": False, "explore": True}


def test_an_empty_query_is_an_unknown_visitor() -> None:
    assert wire.query_from_line("{}") == (Query(), {})
    assert wire.query_from_json({"user": None, "context": None, "history": None}) == (Query(), {})


@pytest.mark.parametrize(
    ("line", "field", "said"),
    [
        ('{"usr": "u1"}', "usr", "Did you mean user"),
        ('{"user": 42}', "user", 'write it in quotes, "42"'),
        ('{"history": [7]}', "history[0]", 'write it in quotes, "7"'),
        ('{"history": ["a", {"item": 7}]}', "history[1].item", "quotes"),
        ('{"history": ["a", {"itm": "b"}]}', "history[1].itm", "Did you mean item"),
        ('{"history": [{}]}', "history[0].item", "needs the key 'item'"),
        ('{"history": "a"}', "history", "has to be a list"),
        ('{"candidates": [1]}', "candidates[0]", "quotes"),
        ('{"context": ["rain"]}', "context", "has to be an object"),
        ('{"context": {"a": {"b": 1}}}', "context.a", "is an object"),
        ('{"context": {"c": 1, "a": [1, {"b": 2}]}}', "context.a[1]", "is an object"),
        ('{"context": {"a": 100000000000000000000000}}', "context.a", "too large"),
        ('{"n": 0}', "n", "1 to 1000"),
        ('{"n": 1000000000}', "n", "1 to 1000"),
        ('{"n": "3"}', "n", "1 to 1000"),
        ('{"n": 2.5}', "n", "1 to 1000"),
        ('{"n": true}', "n", "1 to 1000"),
        ('{"explain": 1}', "explain", "true or false"),
        ('{"time": "yesterday"}', "time", "is not a time"),
        ('{"time": true}', "time", "has to be"),
        ('{"time": 1e30}', "time", "is not a time"),
        ('{"time": %s}' % ("9" * 400), "time", "is not a time"),
        ('{"time": -90000000000}', "time", "outside the years 1 to 9999"),
        ('{"history": [{"item": "a", "time": -1e14}]}', "history[0].time", "outside the years 1 to 9999"),
        ('{"exclude_seen": [1]}', "exclude_seen[0]", "quotes"),
        ('{"filter": ' + '{"not": ' * 40 + "{}" + "}" * 40 + "}", "filter", "flatter"),
        ("[1]", "", "has to be an object"),
    ],
)
def test_what_is_wrong_is_said(line: str, field: str, said: str) -> None:
    with pytest.raises(QueryError, match=said.replace("(", r"\(")) as caught:
        wire.query_from_line(line)
    assert caught.value.field == field
    assert not isinstance(caught.value, MalformedError)
    with pytest.raises(QueryError):
        wire.query_from_json(json.loads(line))


@pytest.mark.parametrize(
    "line", [b"", b'{"user"', b'{"user": "\xff"}', b'{"time": NaN}', b'{"user": 1', b"[" * 100_000, b'{"filter": ' + b"[" * 5000 + b"]" * 5000 + b"}"]
)
def test_what_is_no_json(line: bytes) -> None:
    with pytest.raises(MalformedError):
        wire.query_from_line(line)


@pytest.mark.parametrize(
    ("form", "body", "field"),
    [
        (EventsBody, {"events": []}, "events"),
        (EventsBody, {"events": [{"user": "u", "item": "i"}] * 1001}, "events"),
        (EventsBody, {"events": [{"user": "u"}]}, "events[0].item"),
        (EventsBody, {"events": [{"user": "u", "item": ""}]}, "events[0].item"),
        (EventsBody, {"events": [{"user": "u", "item": "i", "evnt_id": "1"}]}, "events[0].evnt_id"),
        (EventsBody, {"event": []}, "event"),
        (RewardsBody, {"rewards": [{"recommendation_id": "r", "item": "i", "reward": "1"}]}, "rewards[0].reward"),
        (BatchBody, {"queries": [{}] * 101}, "queries"),
        (BatchBody, {"queries": [{"n": 0}]}, "queries[0].n"),
        (Flat, {"year": {"a": 1}}, "year"),
    ],
)
def test_other_bodies(form: type, body: object, field: str) -> None:
    with pytest.raises(QueryError) as caught:
        wire.decode(json.dumps(body), form)
    assert caught.value.field == field


def test_a_slate_has_the_keys_of_the_contract_in_order() -> None:
    written = wire.slate_to_json(SLATE)
    assert list(written) == ["recommendation_id", "user", "model_version", "policy", "propensity_kind", "items", "notes"]
    assert list(written["items"][0]) == ["item", "position", "score", "propensity", "reasons"]
    assert written["items"][0]["reasons"] == [{"kind": "history", "what": "b", "weight": 2.5, "text": "like b"}]
    assert wire.slate_from_json({**written, "degraded": False}) == SLATE
    with pytest.raises(QueryError, match="not a slate"):
        wire.slate_from_json({"items": 3})


def test_a_log_line_is_the_slate_and_the_query_and_the_rewards() -> None:
    line = json.loads(wire.log_line(SLATE, Query(user="u1", time=Wall(0.5), words="short", exclude_seen=("buy",)), {"b": 1.0}))
    assert [shown["reward"] for shown in line["items"]] == [None, 1.0]
    assert (line["time"], line["context"], line["words"], line["exclude_seen"]) == ("1970-01-01T00:00:00.500000", {}, "short", ["buy"])
    assert "candidates" not in line and line["user"] == "u1"


def test_epochs_wait_for_a_zone() -> None:
    """A client does not know where the run's clock hangs: numbers travel as numbers, written times as they were written."""
    said = {"time": 1_701_799_100.5, "history": [{"item": "a", "time": 60.0}, {"item": "b", "time": "1970-01-01T00:01:00"}]}
    query, _ = wire.query_from_json(said)
    assert wire.query_to_json(query) == said
    there = query.local("Asia/Tokyo", 0)
    assert wire.query_to_json(there) == {
        "time": "2023-12-06T02:58:20.500000",
        "history": [{"item": "a", "time": "1970-01-01T09:01:00"}, {"item": "b", "time": "1970-01-01T00:01:00"}],
    }
    assert there.local("Asia/Tokyo", 0) == there
    event = wire.decode(b'{"events": [{"user": "u", "item": "i", "time": 60}]}', EventsBody).events[0]
    assert wire.event_to_json(wire.event_from_line(event))["time"] == 60.0


def test_what_is_on_the_wall_is_written_out() -> None:
    """In whatever a client sends."""
    line = msgspec.json.encode(EventLine("u", "i", time=Wall(60.0)), enc_hook=wire.iso)
    assert json.loads(line)["time"] == "1970-01-01T00:01:00"


def test_lines_become_nouns() -> None:
    body = wire.decode(b'{"rewards": [{"recommendation_id": "r", "item": "i", "reward": 1, "time": 60}]}', RewardsBody)
    assert wire.feedback_from_line(body.rewards[0]) == Feedback("r", "i", 1.0, None, 60.0)
    event = wire.decode(b'{"events": [{"user": "u", "item": "i", "context": {"a": 1}}]}', EventsBody).events[0]
    assert wire.event_from_line(event) == Event("i", context={"a": 1})
    with pytest.raises(QueryError) as caught:
        wire.event_from_line(msgspec.structs.replace(event, time="soon"), "events[4].")
    assert caught.value.field == "events[4].time"


texts = st.text(min_size=1, max_size=8)
scalars = st.one_of(st.text(max_size=5), st.integers(-(2**40), 2**40), st.booleans(), st.floats(-1e6, 1e6))
seconds = st.floats(-1e9, 1e10).map(lambda x: round(x, 3))
events = st.builds(
    Event, texts, st.none() | seconds, st.none() | texts, st.none() | st.floats(-1e6, 1e6), st.dictionaries(texts, scalars, max_size=2)
)
queries = st.builds(
    Query,
    user=st.none() | texts,
    history=st.none() | st.lists(events, max_size=3).map(tuple),
    time=st.none() | seconds,
    context=st.dictionaries(texts, scalars, max_size=3),
    words=st.none() | st.text(),
    candidates=st.none() | st.lists(texts, max_size=3).map(tuple),
    exclude_seen=st.none() | st.booleans() | st.lists(texts, max_size=2).map(tuple),
)


@given(queries)
def test_a_query_survives_its_json(query: Query) -> None:
    back, extras = wire.query_from_line(json.dumps(wire.query_to_json(query)))
    assert extras == {}
    assert wire.query_to_json(back) == wire.query_to_json(query)
    assert (back.user, back.candidates, back.exclude_seen, back.context) == (query.user, query.candidates, query.exclude_seen, query.context)


@given(
    st.recursive(
        scalars | st.none(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*QueryBody.__struct_fields__, "x"]), inner, max_size=4),
    )
)
def test_no_json_whatever_breaks_the_reader(obj: object) -> None:
    try:
        query, _ = wire.query_from_json(obj)
    except QueryError as error:
        assert str(error).endswith((".", "?"))
    else:
        assert isinstance(query, Query)
