"""What is taken in moments like this one: events that agree with a context, counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from .data.tables import spelled
from .histories import Histories
from .types import Event

__all__ = ["MomentCounts"]


class MomentCounts:
    """The newest 200 events of every user and what came since, with their context, as columns.

    Contextual pre-filtering (Adomavicius and Tuzhilin, 2005). Prefer a model's ``recommend`` for a person: this counts, and where few events
    agree it has little to count. Made in one pass over the histories; a question costs one pass over the columns.
    """

    def __init__(self, histories: Histories, names: Sequence[str]) -> None:
        self.names = list(names)
        self._events = self._frame([event for user in histories.users() for event in histories.of(user)])
        self._waiting: list[Event] = []

    def add(self, event: Event) -> None:
        self._waiting.append(event)

    def count(
        self, context: Mapping[str, Any], codes: Mapping[str, int], n_items: int, since: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """[items] how often each was taken in such moments, and how often of these in the time from ``since`` on.

        A column of several values agrees where it holds those that are asked for.
        """
        if self._waiting:
            self._events = pl.concat([self._events, self._frame(self._waiting)])
            self._waiting = []
        frame = self._events
        for name, value in context.items():
            for one in _texts(value) or ():
                frame = frame.filter(pl.col(name).list.contains(one))
        rows = np.array([codes.get(item, -1) for item in frame["item"].to_list()], dtype=np.int64)
        late = (frame["time"].to_numpy() >= since)[rows >= 0]
        rows = rows[rows >= 0]
        return np.bincount(rows, minlength=n_items).astype(float), np.bincount(rows[late], minlength=n_items).astype(float)

    def _frame(self, events: Sequence[Event]) -> pl.DataFrame:
        columns = {name: pl.Series(name, [_texts(event.context.get(name)) for event in events], dtype=pl.List(pl.String)) for name in self.names}
        times = pl.Series("time", [event.time if isinstance(event.time, float) else np.nan for event in events], dtype=pl.Float64)
        return pl.DataFrame([pl.Series("item", [event.item for event in events], dtype=pl.String), times, *columns.values()])


def _texts(value: Any) -> list[str] | None:
    if value is None:
        return None
    return [spelled(one) for one in value] if isinstance(value, list | tuple) else [spelled(value)]
