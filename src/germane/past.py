"""What users did, from a dataset to histories."""

from __future__ import annotations

import polars as pl

from . import times
from .data import Dataset
from .histories import KEPT, Histories
from .types import Event

__all__ = ["recall"]


def recall(dataset: Dataset, histories: Histories) -> None:
    """Take these events as what users did: all as seen, the newest 200 of each with their context."""
    ids, items = dataset.users["id"].to_list(), dataset.items["id"].to_list()
    events = dataset.events
    names = [name for name in dataset.columns.moment if f"context:{name}" in events.columns]
    has_kind = "kind" in events.columns
    lines, codes = dataset.timelines, dataset.item_codes
    for user, name in enumerate(ids):
        rows = lines.rows(user)
        if not len(rows):
            continue
        kinds = events["kind"].gather(rows).to_list() if has_kind else [None] * len(rows)
        for code, kind in zip(codes[rows], kinds, strict=True):
            histories.mark(name, items[code], kind)
        newest = rows[-KEPT:]
        cut = events[newest]
        contexts = cut.select(pl.col(f"context:{n}").alias(n) for n in names).to_dicts() if names else [{}] * len(newest)
        moments = [times.wall(time) for time in cut["time"].to_list()] if dataset.has_times else [None] * len(newest)
        values = cut["value"].to_list() if "value" in cut.columns else [None] * len(newest)
        told = [
            Event(items[c], t, k, v, {n: x for n, x in context.items() if x is not None})
            for c, t, k, v, context in zip(codes[newest], moments, kinds[-KEPT:], values, contexts, strict=True)
        ]
        histories.put(name, told)
