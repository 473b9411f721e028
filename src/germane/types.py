"""The nouns that cross every boundary: a query goes in, a slate comes out, feedback comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    """Absent: the newest training event (command line, Python) or the clock (service)."""
    context: Mapping[str, Any] = field(default_factory=dict)
    words: str | None = None
    """What the user typed."""
    candidates: tuple[str, ...] | None = None
    """Score these only; absent: the whole catalogue."""
    filter: Mapping[str, Any] | None = None
    exclude_seen: bool | tuple[str, ...] | None = None
    """True, false, or the kinds of events that count as seen; absent: the config's choice."""

    def __post_init__(self) -> None:
        if self.history is not None:
            entries: Sequence[Any] = self.history
            object.__setattr__(self, "history", tuple(e if isinstance(e, Event) else Event(item=str(e)) for e in entries))
        if self.candidates is not None:
            object.__setattr__(self, "candidates", tuple(str(c) for c in self.candidates))
        if isinstance(self.exclude_seen, list):
            object.__setattr__(self, "exclude_seen", tuple(self.exclude_seen))
        if self.time is not None:
            object.__setattr__(self, "time", times.read(self.time))

    def local(self, zone: str | None, now: float) -> Query:
        """The same with every time on the wall clock of ``zone``, and ``now`` where no time is said: as it is answered and logged."""
        history = self.history
        if history is not None:
            history = tuple(event if event.time is None else replace(event, time=times.parse(event.time, zone)) for event in history)
        return replace(self, history=history, time=times.parse(now if self.time is None else self.time, zone))


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
