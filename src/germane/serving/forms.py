"""What ``/v1`` answers, as forms for its OpenAPI document, and the note that each call carries for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from msgspec import Struct

from ..types import Note, PropensityKind, SlateItem
from ..wire import MOST, Flat, HistoryEntry

__all__ = ["LISTING", "Call", "Found", "Held", "Known", "Moments", "Ready", "SlateAnswer", "Slates", "Taken", "Titles", "Users", "Versions"]


class SlateAnswer(Struct):
    """What to show, in order."""

    recommendation_id: str
    user: str | None
    model_version: str
    policy: str
    propensity_kind: PropensityKind
    items: list[SlateItem]
    notes: list[Note]
    degraded: bool
    """True where the answer is the best at hand instead of all that was asked for; ``notes`` say why."""


class Slates(Struct):
    slates: list[SlateAnswer]


class FoundItem(Struct):
    item: str
    position: int
    score: float


class Found(Struct):
    """Items in order; scores compare within one answer only."""

    items: list[FoundItem]


class ValueCount(Struct):
    value: Any
    count: int


class Column(Struct, omit_defaults=True):
    """A name that a query's context may hold: its values with counts, or its range."""

    name: str
    type: str
    values: list[ValueCount] | None = None
    low: float | str | None = None
    high: float | str | None = None


class Moments(Struct):
    """What moments the model knows, and a request that works."""

    columns: list[Column]
    words: bool
    kind: str | None
    """The kind of event that a choice is here: the target of ``[data.rules]``, else the most common; null where events have no kinds."""
    example: dict[str, Any]


class Taken(Struct):
    """On disk."""

    stored: int
    duplicates: int


class Known(Struct):
    item: str


class KnownUser(Struct):
    user: str
    events: int


class Users(Struct):
    users: list[KnownUser]


class Titled(Struct):
    item: str
    title: str
    columns: dict[str, Any]


class Titles(Struct):
    items: list[Titled]


class Held(Struct, omit_defaults=True):
    """Everything that is held of a user."""

    user: str
    history: list[HistoryEntry] | None = None
    """What answers read: the newest events."""
    columns: Flat | None = None
    events: list[HistoryEntry] | None = None
    recommendations: list[dict[str, Any]] | None = None
    rewards: list[dict[str, Any]] | None = None


class Version(Struct):
    version: str
    state: str
    model: str
    policy: str


class Versions(Struct):
    versions: list[Version]


class Ready(Struct):
    status: str


@dataclass(frozen=True)
class Call:
    """What the OpenAPI document says of a call, beside its path and method."""

    summary: str
    tag: str
    answers: Mapping[int, Any]
    """Status -> form of the answer; None where there is no body."""
    problems: tuple[int, ...] = ()
    body: Any = None
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Query parameters: name -> JSON schema with a description."""


LISTING: Mapping[str, Mapping[str, Any]] = {
    "n": {"type": "integer", "minimum": 1, "maximum": MOST, "default": 10, "description": "How many."},
    "filter": {"type": "string", "contentMediaType": "application/json", "description": 'Such as {"eq": ["genre", "Comedy"]}.'},
}
"""Parameters of the lists that are not personal."""

IN_MOMENTS: Mapping[str, Mapping[str, Any]] = {
    **LISTING,
    "context": {"type": "string", "contentMediaType": "application/json", "description": 'Only events in such moments, as {"weather": "rain"}.'},
}
"""Parameters of those that can be counted in certain moments."""
