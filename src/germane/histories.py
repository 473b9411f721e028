"""What each user did: the newest events, and everything they ever took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from .types import Event

__all__ = ["KEPT", "Histories"]

KEPT = 200


class Histories:
    """Per user the newest 200 events, oldest first, and the set of items seen, by kind of event."""

    def __init__(self) -> None:
        self._events: dict[str, list[Event]] = {}
        self._seen: dict[str, dict[str, set[str]]] = {}
        self._kinds: Counter[str] = Counter()

    def of(self, user: str, before: float | None = None) -> list[Event]:
        """What is kept of the user, oldest first; with ``before``, without what is known to have happened at that time or later."""
        events = self._events.get(user, ())
        return [event for event in events if before is None or not isinstance(event.time, float) or event.time < before]

    def seen(self, user: str, kinds: Iterable[str] | None = None) -> set[str]:
        """Items the user took; with ``kinds``, by these kinds of event only."""
        by_kind = self._seen.get(user, {})
        chosen = by_kind.values() if kinds is None else (by_kind.get(kind, set()) for kind in kinds)
        return set().union(*chosen)

    def seen_by_kind(self, user: str) -> Mapping[str, set[str]]:
        return self._seen.get(user, {})

    def kinds(self) -> Mapping[str, int]:
        """How many items were taken by each kind of event, an item counted once a user; what has no kind is not counted."""
        return {kind: count for kind, count in self._kinds.items() if kind and count}

    def append(self, user: str, event: Event) -> None:
        events = self._events.setdefault(user, [])
        events.append(event)
        if len(events) > 1 and isinstance(event.time, float) and isinstance(events[-2].time, float) and event.time < events[-2].time:
            events.sort(key=lambda e: e.time if isinstance(e.time, float) else float("inf"))
        del events[:-KEPT]
        self.mark(user, event.item, event.kind)

    def put(self, user: str, events: list[Event]) -> None:
        """These are the user's newest events, oldest first; what was seen stays."""
        self._events[user] = events[-KEPT:]

    def mark(self, user: str, item: str, kind: str | None = None) -> None:
        """Remember that an item was seen, without an event."""
        items = self._seen.setdefault(user, {}).setdefault(kind or "", set())
        self._kinds[kind or ""] += item not in items
        items.add(item)

    def forget(self, user: str) -> None:
        self._events.pop(user, None)
        self._kinds.subtract({kind: len(items) for kind, items in self._seen.pop(user, {}).items()})

    def users(self) -> list[str]:
        return list(self._events)

    def __len__(self) -> int:
        return len(self._events)
