"""What of the store's log a run does not hold yet: it may have been trained from this log, or from files that hold a part of it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator

from ..histories import KEPT, Histories
from ..store import StoredEvent
from ..types import Event

__all__ = ["unheld"]

Known = tuple[str, int | None, str | None]


def unheld(log: Iterable[StoredEvent], histories: Histories, *, kinds: bool) -> Iterator[StoredEvent]:
    """Events of the log that are not in ``histories``; what is there stands for one event of the log each. ``kinds``: whether the run knows kinds.

    A full history was cut: what lies before it was counted when the run was trained, and is marked as seen, whichever it was.
    """
    left: dict[str, Counter[Known]] = {}
    begins: dict[str, float] = {}
    for stored in log:
        user, event = stored.user, stored.event
        if user not in left:
            held = histories.of(user)
            left[user] = Counter(_known(entry, kinds) for entry in held)
            begins[user] = held[0].time if len(held) == KEPT and isinstance(held[0].time, float) else -math.inf
        if left[user][known := _known(event, kinds)] > 0:
            left[user][known] -= 1
        elif isinstance(event.time, float) and event.time <= begins[user]:
            histories.mark(user, event.item, event.kind)
        else:
            yield stored


def _known(event: Event, kinds: bool) -> Known:
    """To the microsecond, as tables hold times."""
    moment = math.floor(event.time * 1e6 + 0.5) if isinstance(event.time, float) else None
    return event.item, moment, event.kind or None if kinds else None
