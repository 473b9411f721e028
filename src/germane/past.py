"""What users did, from a dataset to histories."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from . import times
from .data import Dataset
from .histories import KEPT, Histories
from .types import Event

__all__ = ["recall"]


def recall(dataset: Dataset, histories: Histories) -> None:
    """Take these events as what users did: all as seen, the newest 200 of each with their context."""
    ids, items = dataset.users["id"].to_list(), dataset.items["id"].to_list()
    lines, codes = dataset.timelines, dataset.item_codes[dataset.timelines.order]  # users' stretches one after another, oldest first
    kinds = dataset.events["kind"].gather(lines.order) if "kind" in dataset.events.columns else None
    begins, ends = lines.offsets[:-1], lines.offsets[1:]
    for name, begin, end in zip(ids, begins.tolist(), ends.tolist(), strict=True):  # of all events no more than one user's are Python objects at once
        of_what = [None] * (end - begin) if kinds is None else kinds[begin:end].to_list()
        for code, kind in zip(codes[begin:end].tolist(), of_what, strict=True):
            histories.mark(name, items[code], kind)
    kept = np.minimum(ends - begins, KEPT)
    told = _events(dataset, lines.order[np.arange(len(codes)) >= np.repeat(ends - kept, ends - begins)], items)
    until = np.cumsum(kept)
    for name, begin, end in zip(ids, (until - kept).tolist(), until.tolist(), strict=True):
        if begin < end:
            histories.put(name, told[begin:end])


def _events(dataset: Dataset, rows: NDArray[np.int64], items: list[str]) -> list[Event]:
    """These rows of the event table: a column at a time, since a look at a table costs more than an event."""
    events, nothing = dataset.events[rows], [None] * len(rows)
    moments = [times.wall(time) for time in events["time"].to_list()] if dataset.has_times else nothing
    kinds, values = (events[column].to_list() if column in events.columns else nothing for column in ("kind", "value"))
    contexts: list[dict[str, object]] = [{} for _ in rows]
    for name in dataset.columns.moment:
        if f"context:{name}" in events.columns:
            for context, value in zip(contexts, events[f"context:{name}"].to_list(), strict=True):
                if value is not None:
                    context[name] = value
    codes = dataset.item_codes[rows].tolist()
    return [Event(items[code], *rest) for code, *rest in zip(codes, moments, kinds, values, contexts, strict=True)]
