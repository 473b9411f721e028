"""Live queries as tensors, the same that training and evaluation cut from the event table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
import torch

from ..data.tables import several, spelled
from ..encoders import Words
from ..features import FeatureSet, Moments
from .batch import PAD, QueryBatch, blank

__all__ = ["columns_of", "profiles", "query_batch"]


def query_batch(
    users: Sequence[int],
    times: Sequence[float],
    contexts: pl.DataFrame,
    histories: Sequence[Sequence[tuple[int, float, float | None]]],
    history_contexts: pl.DataFrame,
    words: Words,
    features: FeatureSet,
    profile: Moments,
    length: int,
) -> QueryBatch:
    """Live queries as tensors.

    ``histories``: (item code, time, value) of known items, oldest first; ``history_contexts``: one row an event, in the same order.
    """
    cut = [events[-length:] for events in histories]
    width = max(1, max((len(events) for events in cut), default=1))
    history = np.full((len(users), width), PAD, dtype=np.int64)
    ages = np.zeros((len(users), width), dtype=np.float32)
    values = np.full((len(users), width), np.nan, dtype=np.float32)
    encoded = features.encode(history_contexts)
    source = np.zeros((len(users), width), dtype=np.int64)
    begin = 0
    for row, (events, kept) in enumerate(zip(histories, cut, strict=True)):
        if kept:
            history[row, -len(kept) :] = [code for code, _, _ in kept]
            ages[row, -len(kept) :] = np.maximum(times[row] - np.array([time for _, time, _ in kept]), 0)
            values[row, -len(kept) :] = [np.nan if value is None else value for _, _, value in kept]
            source[row, -len(kept) :] = np.arange(begin + len(events) - len(kept), begin + len(events))
        begin += len(events)
    empty = torch.from_numpy(history == PAD)
    at = torch.from_numpy(source)
    moments = blank(encoded[at], empty) if history_contexts.height else Moments.none(*empty.shape)
    if not history_contexts.height:
        codes, dense = features.shape
        moments = Moments(torch.zeros(*empty.shape, codes, dtype=torch.int64), torch.zeros(*empty.shape, dense))
    return QueryBatch(
        users=torch.tensor(users, dtype=torch.int64),
        times=torch.tensor(times, dtype=torch.float64),
        history=torch.from_numpy(history),
        ages=torch.from_numpy(ages),
        history_values=torch.from_numpy(values),
        history_moments=moments,
        moment=features.encode(contexts),
        profile=profile,
        words=words,
    )


def profiles(features: FeatureSet, users: pl.DataFrame) -> Moments:
    """One row a user, and a last, empty one that code -1 (unknown) finds."""
    names = [name for name in features.names if name in users.columns]
    known = features.encode(users.select(names) if names else pl.DataFrame({"": [None] * users.height}))
    nobody = Moments(known.codes.new_zeros(1, known.codes.shape[1]), known.dense.new_zeros(1, known.dense.shape[1]))
    return Moments(torch.cat([known.codes, nobody.codes]), torch.cat([known.dense, nobody.dense]))


def columns_of(values: Sequence[Mapping[str, Any]], types: Mapping[str, str], names: Sequence[str]) -> pl.DataFrame:
    """Contexts given as mappings, as a frame of the types that the features were fitted on."""
    frame: dict[str, pl.Series] = {}
    for name in names:
        given = [value.get(name) for value in values]
        kind = types.get(name, "category")
        if kind == "categories":
            lists = [None if g is None else several(g) for g in given]
            frame[name] = pl.Series(name, lists, dtype=pl.List(pl.String))
        elif kind in ("number", "place"):
            frame[name] = pl.Series(name, [None if g is None else float(g) for g in given], dtype=pl.Float64)
        else:
            frame[name] = pl.Series(name, [None if g is None else spelled(g) for g in given], dtype=pl.String)
    return pl.DataFrame(frame) if frame else pl.DataFrame({"": [None] * len(values)})
