"""The nouns as JSON: lines of files, bodies of HTTP. Strict about what comes in, exact about what goes out.

The structs are the forms of ``/v1`` and the service's OpenAPI document is made from them; the functions beside them turn the
ones that have a noun into it. Every fault is a ``QueryError`` whose ``field`` is the path of the key at fault.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from . import times
from .errors import DataError, QueryError, nearest
from .json_paths import joined, named, shown
from .types import Event, Feedback, Query, Slate

__all__ = [
    "BODY_LIMIT",
    "BatchBody",
    "EventLine",
    "EventsBody",
    "Flat",
    "HistoryEntry",
    "MalformedError",
    "QueryBody",
    "RewardLine",
    "RewardsBody",
    "decode",
    "event_from_line",
    "event_to_json",
    "feedback_from_line",
    "iso",
    "log_line",
    "query_from_body",
    "query_from_json",
    "query_from_line",
    "query_to_json",
    "slate_from_json",
    "slate_to_json",
    "slate_to_line",
]

MOST = 1000
"""The longest slate, and the most events or rewards in one body."""

BODY_LIMIT = 1 << 20
"""Bytes of one request; a thousand events are about 200 kB."""

DEEPEST = 32
"""How deep a filter may nest."""

Scalar = str | int | float | bool | None
Value = str | int | float | bool | list[str | int | float | bool] | None
Flat = dict[str, Value]
"""Columns of one item or user: name -> value."""
Id = Annotated[str, Meta(min_length=1)]
Time = str | int | float
T = TypeVar("T")


class MalformedError(QueryError):
    """Not JSON at all, as opposed to JSON that says something not allowed."""


class HistoryEntry(Struct, forbid_unknown_fields=True):
    """Something the user did."""

    item: Id
    time: Annotated[Time | None, Meta(description="ISO, or epoch seconds or milliseconds.")] = None
    kind: str | None = None
    value: float | None = None
    context: Flat | None = None


class QueryBody(Struct, forbid_unknown_fields=True):
    """One moment that wants an answer. Every key may be absent."""

    user: Annotated[str | None, Meta(description="Absent or unknown: a visitor without history.")] = None
    history: Annotated[list[str | HistoryEntry] | None, Meta(description="Oldest first; replaces the stored history.")] = None
    time: Annotated[Time | None, Meta(description="ISO, or epoch seconds or milliseconds. Absent: the clock.")] = None
    context: Annotated[Flat | None, Meta(description="Names that GET /v1/context lists.")] = None
    words: Annotated[str | None, Meta(description="What the user typed.")] = None
    candidates: Annotated[list[str] | None, Meta(description="Score these only; absent: the whole catalogue.")] = None
    filter: Annotated[dict[str, Any] | None, Meta(description='Such as {"eq": ["genre", "Comedy"]}.')] = None
    exclude_seen: Annotated[bool | list[str] | None, Meta(description="True, false, or the kinds of events that count as seen.")] = None
    n: Annotated[int, Meta(ge=1, le=MOST, description="Length of the slate; 10 unless said.")] | UnsetType = UNSET
    explain: Annotated[bool, Meta(description="Whether items carry reasons.")] | UnsetType = UNSET
    explore: Annotated[bool, Meta(description="False: the greedy list, every propensity 1.")] | UnsetType = UNSET


class BatchBody(Struct, forbid_unknown_fields=True):
    queries: Annotated[list[QueryBody], Meta(min_length=1, max_length=100)]


class EventLine(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Something a user did, as it is told to the service."""

    user: Id
    item: Id
    event_id: Annotated[Id | None, Meta(description="Sent twice, it is stored once.")] = None
    time: Annotated[Time | None, Meta(description="Absent: the clock.")] = None
    kind: str | None = None
    value: float | None = None
    context: Flat | None = None
    recommendation_id: str | None = None


class EventsBody(Struct, forbid_unknown_fields=True):
    events: Annotated[list[EventLine], Meta(min_length=1, max_length=MOST)]


class RewardLine(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What came back for one shown item."""

    recommendation_id: Id
    item: Id
    reward: float
    reward_id: Annotated[Id | None, Meta(description="Sent twice, it is stored once.")] = None
    kind: str | None = None
    time: Annotated[Time | None, Meta(description="Absent: the clock.")] = None


class RewardsBody(Struct, forbid_unknown_fields=True):
    rewards: Annotated[list[RewardLine], Meta(min_length=1, max_length=MOST)]


def decode(line: bytes | str, form: type[T]) -> T:
    """One JSON text as one of the forms above.

    >>> decode('{"events": [{"user": "u1"}]}', EventsBody)
    Traceback (most recent call last):
    ...
    germane.errors.QueryError: events[0] needs the key 'item'.
    """
    try:
        return msgspec.json.decode(line, type=form)
    except msgspec.ValidationError as error:
        raise _explain(error, _any(line), form) from None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        _any(line)
        raise


def query_from_line(line: bytes | str) -> tuple[Query, dict[str, Any]]:
    """A query, and those of ``n``, ``explain`` and ``explore`` that were given.

    >>> query_from_line('{"user": "u1", "n": 3}')[1]
    {'n': 3}
    >>> query_from_line('{"usr": "u1"}')  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    germane.errors.QueryError: 'usr' is no key of a query; its keys are user, history, ..., explain, explore. Did you mean user?
    """
    return query_from_body(decode(line, QueryBody))


def query_from_json(obj: Any) -> tuple[Query, dict[str, Any]]:
    """The same from JSON that is decoded already.

    >>> query_from_json({"history": ["a", {"item": "b", "kind": "buy"}]})[0].history[1].kind
    'buy'
    """
    try:
        return query_from_body(msgspec.convert(obj, QueryBody))
    except msgspec.ValidationError as error:
        raise _explain(error, obj, QueryBody) from None


def query_from_body(body: QueryBody, at: str = "") -> tuple[Query, dict[str, Any]]:
    """``at`` is put before the names of fields in errors, such as ``queries[3].``."""
    if body.filter is not None and _depth(body.filter) > DEEPEST:
        raise QueryError(f"{at}filter nests deeper than {DEEPEST}: write it flatter.", f"{at}filter")
    query = Query(
        user=body.user,
        history=None if body.history is None else tuple(_entry(entry, f"{at}history[{i}]") for i, entry in enumerate(body.history)),
        time=_time(body.time, f"{at}time"),
        context=_context(body.context, f"{at}context"),
        words=body.words,
        candidates=None if body.candidates is None else tuple(body.candidates),
        filter=body.filter,
        exclude_seen=tuple(body.exclude_seen) if isinstance(body.exclude_seen, list) else body.exclude_seen,
    )
    given = {"n": body.n, "explain": body.explain, "explore": body.explore}
    return query, {name: value for name, value in given.items() if value is not UNSET}


def query_to_json(query: Query) -> dict[str, Any]:
    """Only the keys that say something; ``query_from_json`` gives the same query back."""
    said: dict[str, Any] = {
        "user": query.user,
        "history": None if query.history is None else [event_to_json(event) for event in query.history],
        "time": iso(query.time),
        "context": dict(query.context) or None,
        "words": query.words,
        "candidates": None if query.candidates is None else list(query.candidates),
        "filter": None if query.filter is None else dict(query.filter),
        "exclude_seen": list(query.exclude_seen) if isinstance(query.exclude_seen, tuple) else query.exclude_seen,
    }
    return {key: value for key, value in said.items() if value is not None}


def slate_to_line(slate: Slate) -> bytes:
    """One line, without its end."""
    return msgspec.json.encode(slate)


def slate_to_json(slate: Slate) -> dict[str, Any]:
    """A slate as lists and dictionaries, in the order of the contract."""
    decoded: dict[str, Any] = msgspec.json.decode(slate_to_line(slate))
    return decoded


def slate_from_json(obj: Any) -> Slate:
    """The slate that ``slate_to_json`` wrote; keys it does not know, such as ``degraded``, are left out."""
    try:
        return msgspec.convert(obj, Slate)
    except msgspec.ValidationError as error:
        raise QueryError(f"this is not a slate: {error}.") from None


def log_line(slate: Slate, query: Query, rewards: Mapping[str, float] | None = None) -> bytes:
    """A line of the log: the slate, the query it answers, and each item's reward (null: not yet known)."""
    line = slate_to_json(slate)
    for place in line["items"]:
        place["reward"] = None if rewards is None else rewards.get(place["item"])
    asked = query_to_json(query)
    asked.pop("user", None)
    return msgspec.json.encode({**line, "time": None, "context": {}, **asked})


def event_to_json(event: Event) -> dict[str, Any]:
    """An event without the keys that are empty."""
    said = {**asdict(event), "time": iso(event.time), "context": dict(event.context) or None}
    return {key: value for key, value in said.items() if value is not None}


def event_from_line(line: EventLine, at: str = "") -> Event:
    """What happened, without whom it happened to."""
    return Event(line.item, _time(line.time, f"{at}time"), line.kind, line.value, _context(line.context, f"{at}context"))


def feedback_from_line(line: RewardLine, at: str = "") -> Feedback:
    return Feedback(line.recommendation_id, line.item, line.reward, line.kind, _time(line.time, f"{at}time"))


def _entry(entry: str | HistoryEntry, at: str) -> Event:
    if isinstance(entry, str):
        return Event(entry)
    return Event(entry.item, _time(entry.time, f"{at}.time"), entry.kind, entry.value, _context(entry.context, f"{at}.context"))


def _time(time: Any, at: str) -> float | None:
    """As far as it can be read here: who knows the zone of epochs reads them on."""
    if time is None:
        return None
    try:
        seconds = times.read(time)
    except DataError as error:
        raise QueryError(f"{at} = {error}", at) from None
    if not times.in_calendar(seconds):
        raise QueryError(f"{at} = {time!r} lies outside the years 1 to 9999: give an ISO time such as 2026-05-01T21:00, or epoch seconds.", at)
    return seconds


def _context(context: Flat | None, at: str) -> Flat:
    for name, value in (context or {}).items():
        for number in value if isinstance(value, list) else (value,):
            if isinstance(number, int) and abs(number) >= 2**63:
                raise QueryError(f"{at}.{name} is too large a number: at most 2^63.", f"{at}.{name}")
    return context or {}


def iso(time: Any) -> str | float | None:
    """ISO to the microsecond; a number where the calendar ends, and of an epoch, whose zone the reader knows."""
    if time is None:
        return None
    said = times.read(time)
    if not isinstance(said, times.Wall):
        return said
    try:
        return (datetime(1970, 1, 1) + timedelta(seconds=said)).isoformat()
    except OverflowError:
        return float(said)


def _depth(tree: Any) -> int:
    level, depth = [tree], 0
    while level := [inner for node in level for inner in _children(node)]:
        depth += 1
    return depth


def _children(node: Any) -> Iterable[Any]:
    return node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()


def _any(line: bytes | str) -> Any:
    """Any JSON; ``MalformedError`` where it is none, so that a fault of form always comes before a fault of contents."""
    try:
        return msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeError) as error:
        why = str(error).partition(" - at `$")[0].removeprefix("JSON is malformed: ") if line.strip() else "it is empty; {} is the least"
        raise MalformedError(f"this is not JSON: {why}.") from None
    except RecursionError:
        raise MalformedError("this JSON nests too deep.") from None


_FORMS: dict[str, tuple[type[Struct], str]] = {
    "history": (HistoryEntry, "a history entry"),
    "events": (EventLine, "an event"),
    "rewards": (RewardLine, "a reward"),
    "queries": (QueryBody, "a query"),
}
_ROOTS = {QueryBody: "a query", EventsBody: "this body", RewardsBody: "this body", BatchBody: "this body"}
_PLAIN = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "null": "null",
    "object": "an object",
    "array": "a list",
}


def _explain(error: Exception, given: Any, form: Any) -> QueryError:
    """msgspec's one line in this project's words."""
    said, _, where = str(error).partition(" - at `$")
    path = where.rstrip("`").removeprefix(".")
    here = path or "the JSON"
    if key := re.fullmatch("Object contains unknown field `(.*)`", said, re.DOTALL):
        struct, noun = _FORMS.get(re.split(r"[.\[]", path.rpartition(".")[2])[0], (form, _ROOTS.get(form, "this body")))
        keys = struct.__struct_fields__
        told = f"{key[1]!r} is no key of {noun}; its keys are {', '.join(keys)}.{nearest(key[1], keys)}"
        return QueryError(f"{path}: {told}" if path else told, joined(path, key[1]))
    if key := re.fullmatch("Object missing required field `(.*)`", said):
        return QueryError(f"{here} needs the key {key[1]!r}.", joined(path, key[1]))
    if path.rpartition(".")[2] == "n":
        return QueryError(f"{path} = {shown(given, path)}: n is a whole number from 1 to {MOST}.", path)
    if types := re.fullmatch("Expected `(.*)`, got `(.*)`", said):
        names = [name for name in types[1].split(" | ") if name != "null" and not (name == "int" and "float" in types[1])]
        wanted = " or ".join(_PLAIN.get(name, name) for name in names)
        path = named(given, path, types[2])
        here = path or here
        if "str" in names and types[2] in ("int", "float"):
            told = shown(given, path)
            return QueryError(f"{here} = {told} is a number where text belongs: write it in quotes" + (f', "{told}".' if told else "."), path)
        return QueryError(f"{here} is {_PLAIN.get(types[2], types[2])}, but has to be {wanted}.", path)
    if size := re.fullmatch(r"Expected `(str|array|object)` of length (>=|<=) (\d+)", said):
        one, many = ("character", "characters") if size[1] == "str" else ("entry", "entries")
        unit = one if size[3] == "1" else many
        return QueryError(f"{here} has to hold {'at least' if size[2] == '>=' else 'at most'} {size[3]} {unit}.", path)
    return QueryError(f"{here}: {said[:1].lower()}{said[1:].replace('`', '')}.", path)
