"""The nouns that cross every boundary: a query goes in, a slate comes out, feedback comes back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from . import times
from .errors import QueryError

__all__ = ["Event", "Feedback", "Note", "PropensityKind", "Query", "Reason", "Slate", "SlateItem"]

Time = datetime | str | float | int
PropensityKind = Literal["exact", "estimated"]


@dataclass(frozen=True, slots=True)
class Event:
    """Something a user did: one entry of a query's history."""

    item: str
    time: Time | None = None
    """A bare number is an epoch, in the zone of the run that reads it; ``times.Wall`` is the wall clock."""
    kind: str | None = None
    value: float | None = None
    context: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
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

    def __post_init__(self) -> None:
        """Lists and entries as the nouns hold them; of what is none of the forms above, a sentence, as over HTTP."""
        if self.words is not None and not isinstance(self.words, str):
            raise QueryError(f"words = {self.words!r:.80} is not text: write it in quotes.", "words")
        object.__setattr__(self, "context", _mapping(self.context, "context"))
        if self.history is not None:
            entries = _listed(self.history, "history", "a list of ids or events, oldest first")
            object.__setattr__(self, "history", tuple(_entry(entry, f"history[{place}]") for place, entry in enumerate(entries)))
        if self.candidates is not None:
            object.__setattr__(self, "candidates", tuple(map(str, _listed(self.candidates, "candidates", "a list of ids"))))
        if self.exclude_seen is not None and not isinstance(self.exclude_seen, bool):
            kinds = _listed(self.exclude_seen, "exclude_seen", "true, false, or a list of kinds such as ['buy']")
            object.__setattr__(self, "exclude_seen", tuple(map(str, kinds)))
        if self.time is not None:
            object.__setattr__(self, "time", times.read(self.time))

    def local(self, zone: str | None, now: float) -> Query:
        """The same with every time on the wall clock of ``zone``, and ``now`` where no time is said: as it is answered and logged."""
        history = self.history
        if history is not None:
            history = tuple(event if event.time is None else replace(event, time=times.parse(event.time, zone)) for event in history)
        return replace(self, history=history, time=times.parse(now if self.time is None else self.time, zone))


def _entry(entry: Any, at: str) -> Event:
    if isinstance(entry, Mapping):
        try:
            entry = Event(**entry)
        except TypeError:
            raise QueryError(
                f"{at} = {entry!r:.80} is no event: an event has item, time, kind, value and context, and the item must be there.", at
            ) from None
    if isinstance(entry, Event):
        _mapping(entry.context, f"{at}.context")
        return entry
    return Event(item=str(entry))


def _listed(given: Any, name: str, wanted: str) -> tuple[Any, ...]:
    """A text is no list, though Python would read it letter by letter."""
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise QueryError(f"{name} = {given!r:.80} has to be {wanted}.", name)
    return tuple(given)


def _mapping(given: Any, name: str) -> Mapping[str, Any]:
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

    def feedback(self, item: str, reward: float, kind: str | None = None, time: Time | None = None) -> Feedback:
        """Feedback on one of the shown items, ready for ``Recommender.observe``."""
        if item not in {shown.item for shown in self.items}:
            raise QueryError(f"item {item!r} was not shown in recommendation {self.recommendation_id}: feedback belongs to a shown item.", "item")
        return Feedback(self.recommendation_id, item, float(reward), kind, time)
