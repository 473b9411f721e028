"""The nouns that cross every boundary: a query goes in, a slate comes out, feedback comes back."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from numbers import Integral
from typing import Any, Literal

from . import times
from .errors import QueryError
from .times import Time

__all__ = ["Event", "Feedback", "Id", "Note", "PropensityKind", "Query", "Reason", "Slate", "SlateItem", "as_id", "as_mapping"]

Id = str | int
"""Ids are text; a whole number is the text of its digits, as in tables."""
PropensityKind = Literal["exact", "estimated"]


@dataclass(frozen=True, slots=True, init=False)
class Event:
    """Something a user did: one entry of a query's history."""

    item: str
    time: Time | None = None
    """A bare number is an epoch, in the zone of the run that reads it; ``times.Wall`` is the wall clock."""
    kind: str | None = None
    value: float | None = None
    context: Mapping[str, Any] = field(default_factory=dict)

    def __init__(
        self, item: Id, time: Time | None = None, kind: Id | None = None, value: float | None = None, context: Mapping[str, Any] | None = None
    ) -> None:
        put = object.__setattr__  # histories hold millions: no loop
        put(self, "item", item if type(item) is str else as_id(item, "item"))
        put(self, "time", time)
        put(self, "kind", kind if kind is None or type(kind) is str else as_id(kind, "kind"))
        put(self, "value", value)
        put(self, "context", {} if context is None else context)


@dataclass(frozen=True, slots=True, init=False)
class Query:
    """One moment that wants an answer. Everything may be absent: ``Query()`` is an unknown visitor now.

    >>> Query(user="u42", time="2026-05-01T21:00", context={"device": "tv"}, words="something short").user
    'u42'
    """

    user: str | None = None
    history: tuple[Event, ...] | None = None
    """Replaces the stored history, for scoring and for ``exclude_seen``. Plain ids are taken as events, oldest first."""
    time: Time | None = None
    """Absent: that of the newest event that the run remembers (command line, Python), or the clock (service)."""
    context: Mapping[str, Any] = field(default_factory=dict)
    words: str | None = None
    """What the user typed."""
    candidates: tuple[str, ...] | None = None
    """Score these only; absent: the whole catalogue."""
    filter: Mapping[str, Any] | None = None
    exclude_seen: bool | tuple[str, ...] | None = None
    """True, false, or the kinds of events that count as seen; absent: the config's choice."""

    def __init__(
        self,
        user: Id | None = None,
        history: Iterable[Event | Mapping[str, Any] | Id] | None = None,
        time: Time | None = None,
        context: Mapping[str, Any] | None = None,
        words: str | None = None,
        candidates: Iterable[Id] | None = None,
        filter: Mapping[str, Any] | None = None,
        exclude_seen: bool | Iterable[str] | None = None,
    ) -> None:
        """Lists and entries as the nouns hold them; of what is none of these forms, a sentence, as over HTTP."""
        if words is not None and not isinstance(words, str):
            raise QueryError(f"words = {words!r:.80} is not text: write it in quotes.", "words")
        moment = as_mapping(context, "context")
        if history is not None:
            entries = _listed(history, "history", "a list of ids or events, oldest first")
            history = tuple(_entry(entry, f"history[{place}]") for place, entry in enumerate(entries))
        if candidates is not None:
            ids = _listed(candidates, "candidates", "a list of ids")
            candidates = tuple(as_id(item, f"candidates[{place}]") for place, item in enumerate(ids))
        if exclude_seen is not None and not isinstance(exclude_seen, bool):
            exclude_seen = tuple(map(str, _listed(exclude_seen, "exclude_seen", "true, false, or a list of kinds such as ['buy']")))
        when, who = None if time is None else times.read(time), None if user is None else as_id(user, "user")
        for name, value in zip(self.__slots__, (who, history, when, moment, words, candidates, filter, exclude_seen), strict=True):
            object.__setattr__(self, name, value)

    def local(self, zone: str | None, now: float) -> Query:
        """The same with every time on the wall clock of ``zone``, and ``now`` where no time is said: as it is answered and logged."""
        history = self.history
        if history is not None:
            history = tuple(event if event.time is None else replace(event, time=times.parse(event.time, zone)) for event in history)
        return replace(self, history=history, time=times.parse(now if self.time is None else self.time, zone))


def as_id(given: object, name: str) -> str:
    """Text as it is, a whole number as its digits; of anything else, a sentence.

    >>> as_id("007", "user"), as_id(7, "user")
    ('007', '7')
    """
    if isinstance(given, str):
        return given
    if isinstance(given, Integral) and not isinstance(given, bool):  # NumPy's and those of tables too
        return str(int(given))
    raise QueryError(f"{name} = {given!r:.80} is no id: give text, or a whole number.", name)


def _entry(entry: Any, at: str) -> Event:
    if isinstance(entry, Mapping):
        try:
            entry = Event(**entry)
        except QueryError as error:
            raise QueryError(f"{at}.{error}", f"{at}.{error.field}") from None
        except TypeError:
            raise QueryError(
                f"{at} = {entry!r:.80} is no event: an event has item, time, kind, value and context, and the item must be there.", at
            ) from None
    if isinstance(entry, Event):
        as_mapping(entry.context, f"{at}.context")
        return entry
    return Event(as_id(entry, at))


def _listed(given: Any, name: str, wanted: str) -> tuple[Any, ...]:
    """A text is no list, though Python would read it letter by letter."""
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise QueryError(f"{name} = {given!r:.80} has to be {wanted}.", name)
    return tuple(given)


def as_mapping(given: Any, name: str) -> Mapping[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise QueryError(f"{name} = {given!r:.80} has to be names with values, such as {{'weather': 'rain'}}.", name)
    return given


@dataclass(frozen=True, slots=True)
class Reason:
    """One part of a score. The weights of an item's reasons sum to its score."""

    kind: str
    """``history``, ``moment``, ``words``, ``content``, ``popularity``, or ``rule``."""
    what: str
    weight: float
    text: str


@dataclass(frozen=True, slots=True)
class SlateItem:
    item: str
    position: int
    """From 1."""
    score: float
    propensity: float
    """The chance that this item stands in this place, given those above it."""
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Note:
    """Something the caller should know about an answer: an unknown user, a context value never seen, a short list."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Feedback:
    """What came back for one shown item."""

    recommendation_id: str
    item: str
    reward: float
    kind: str | None = None
    time: Time | None = None

    def __post_init__(self) -> None:
        """NumPy's numbers as Python's; of a reward that is none, a sentence."""
        try:
            reward = float(self.reward)
        except (TypeError, ValueError, OverflowError):
            reward = math.nan
        if isinstance(self.reward, str) or not math.isfinite(reward):
            raise QueryError(f"reward = {self.reward!r:.80} is no finite number: give one, such as 1.0.", "reward")
        object.__setattr__(self, "reward", reward)
        object.__setattr__(self, "item", as_id(self.item, "item"))


@dataclass(frozen=True, slots=True)
class Slate:
    """What was shown, in order, with the chance of each place."""

    recommendation_id: str
    user: str | None
    model_version: str
    policy: str
    propensity_kind: PropensityKind
    items: tuple[SlateItem, ...]
    notes: tuple[Note, ...] = ()

    def feedback(self, item: Id, reward: float, kind: str | None = None, time: Time | None = None) -> Feedback:
        """Feedback on one of the shown items, ready for ``Recommender.observe``."""
        item = as_id(item, "item")
        if item not in {shown.item for shown in self.items}:
            raise QueryError(f"item {item!r} was not shown in recommendation {self.recommendation_id}: feedback belongs to a shown item.", "item")
        return Feedback(self.recommendation_id, item, reward, kind, time)
