"""The contract of a store. What it acknowledges is on disk."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

from ..types import Event, Query, Slate
from ..wire import EventLine, Flat, RewardLine

__all__ = ["EventStore", "Receipt", "StoredEvent"]

Line = TypeVar("Line")


@dataclass(frozen=True, slots=True)
class Receipt(Generic[Line]):
    """What became of a batch that was taken in."""

    stored: tuple[Line, ...]
    """The new ones, with their times filled in."""
    duplicates: int
    """How many had been stored before with the same id and content."""


@dataclass(frozen=True, slots=True)
class StoredEvent:
    row: int
    """Grows with every event; ``events_since`` goes on from it."""
    user: str
    event: Event


class EventStore(ABC):
    """One tenant's events, slates, rewards, items and users.

    Every writing method returns after the commit. Calls may come from any thread. A batch is taken whole or not at all:
    an id that came before with other content is a ``ConflictError``, a reward for an unknown recommendation a ``NotFoundError``.
    Times are kept on the wall clock.
    """

    zone: str | None = None
    """Whose wall clock epochs and the present are read on: that of the run which is served. Absent: epochs are UTC, the present is this machine's."""

    @abstractmethod
    def add_events(self, events: Sequence[EventLine]) -> Receipt[EventLine]: ...

    @abstractmethod
    def add_slates(self, shown: Sequence[tuple[Slate, Query]]) -> None:
        """Log what is about to be shown, and the query that it answers."""

    @abstractmethod
    def add_rewards(self, rewards: Sequence[RewardLine]) -> Receipt[RewardLine]: ...

    @abstractmethod
    def recommendation(self, recommendation_id: str) -> dict[str, Any] | None:
        """The log line of one slate: slate, query, and each item's newest reward."""

    @abstractmethod
    def put_item(self, item: str, columns: Flat) -> bool:
        """Set these columns, keep the item's others. True where the store did not hold the item."""

    @abstractmethod
    def delete_item(self, item: str) -> None:
        """Remember that this item is out, also if only the run knows it."""

    @abstractmethod
    def items(self) -> Iterator[tuple[str, Flat | None]]:
        """Items put (their columns) and items taken out (None), in the order in which they came in or went out."""

    @abstractmethod
    def put_user(self, user: str, columns: Flat) -> bool:
        """Set these columns, keep the user's others. True where the store did not hold the user."""

    @abstractmethod
    def users(self) -> Iterator[tuple[str, Flat]]:
        """Users put and users with events, and the columns that were put of each."""

    @abstractmethod
    def events_of(self, user: str) -> list[Event]:
        """In the order in which they came."""

    @abstractmethod
    def events_since(self, row: int = 0) -> Iterator[StoredEvent]:
        """Everybody's events after this row, in the order in which they came."""

    @abstractmethod
    def held(self, user: str) -> dict[str, Any]:
        """Everything that is held of one user: ``columns``, ``events``, ``recommendations``, ``rewards``."""

    @abstractmethod
    def erase(self, user: str) -> int:
        """Delete everything of one user; the number of rows. A digest stays, so that older copies of the data can be told to forget too."""

    @abstractmethod
    def erased(self, users: Collection[str]) -> set[str]:
        """Those of these users that were erased."""

    @abstractmethod
    def check(self) -> None:
        """Raise ``StoreError`` unless the store answers."""

    @abstractmethod
    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
