"""The one place where events and queries become tensors, for training, evaluation and serving alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from .data.dataset import Dataset
from .data.tables import spelled
from .features import FeatureSet, Moments
from .features.base import TIME

__all__ = ["Batch", "EventTable", "QueryBatch", "event_frame"]

PAD = -1
"""In ``history``: no event here."""


@dataclass(frozen=True)
class QueryBatch:
    """Queries as tensors: all that a model sees of the outside. B queries, T places of history (newest last, padded on the left)."""

    users: Tensor
    """[B] codes; -1 = unknown."""
    times: Tensor
    """[B] float64 seconds of the wall clock."""
    history: Tensor
    """[B, T] item codes; -1 = no event."""
    ages: Tensor
    """[B, T] float32 seconds from the event to the moment asked about; 0 where padded."""
    history_moments: Moments
    """[B, T, ...] context of each event."""
    moment: Moments
    """[B, ...] context of the moment asked about."""
    profile: Moments
    """[B, ...] what is known of the user (``user_side``)."""
    words: Tensor
    """[B, W] the encoder's vector of the typed words; zero = none typed."""

    def __len__(self) -> int:
        return len(self.users)

    def to(self, device: torch.device | str) -> QueryBatch:
        return QueryBatch(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))

    def __getitem__(self, index: Any) -> QueryBatch:
        return QueryBatch(*(getattr(self, name)[index] for name in self.__dataclass_fields__))

    def without_words(self) -> QueryBatch:
        return replace(self, words=torch.zeros_like(self.words))

    def with_moments_of(self, order: Tensor) -> QueryBatch:
        """The same queries, each in the context of another one: what a model loses by it is what context is worth to it."""
        return replace(self, moment=self.moment[order])


@dataclass(frozen=True)
class Batch:
    """Stretches of users' timelines for training: each event is predicted from those before it and its own moment.

    Place t of ``queries.history`` precedes place t of ``targets``; ages are to be taken between ``times`` and ``target_times``.
    """

    queries: QueryBatch
    """Its ``moment`` and ``words`` are [B, T, ...]: one moment for each target."""
    history_times: Tensor
    """[B, T] float64"""
    targets: Tensor
    """[B, T] item codes; -1 = nothing to predict here."""
    target_times: Tensor
    """[B, T] float64"""
    weights: Tensor
    """[B, T] of the targets."""

    def to(self, device: torch.device | str) -> Batch:
        return Batch(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))


def event_frame(dataset: Dataset, rows: NDArray[np.int64] | None = None) -> pl.DataFrame:
    """What features read: ``time`` and the context columns under their own names."""
    events = dataset.events if rows is None else dataset.events[rows]
    names = [name for name in dataset.columns.moment if f"context:{name}" in events.columns]
    time = [pl.col("time").alias(TIME)] if dataset.has_times else []
    columns = [*time, *(pl.col(f"context:{name}").alias(name) for name in names)]
    return events.select(columns) if columns else pl.DataFrame({"": [None] * events.height})  # a row for each event all the same


class EventTable:
    """A dataset's events as arrays in the order of users' timelines, ready to be cut into batches.

    ``visible`` (rows of the event table) are what histories may hold; queries may be asked at any row.
    Memory: 20 bytes an event and 8 C + 4 D for C code and D dense columns.
    """

    def __init__(
        self,
        dataset: Dataset,
        features: FeatureSet,
        *,
        profile: Moments,
        visible: NDArray[np.int64] | None = None,
        words: tuple[Tensor, NDArray[np.int64]] | None = None,
        phrases: NDArray[np.int64] | None = None,
        phrase_share: float = 0.0,
    ) -> None:
        """``words``: vectors [distinct, W] with row 0 zero, and each event's row among them.

        ``phrases`` [items, K]: rows of vectors of each item's own texts; in training, ``phrase_share`` of the targets without typed words
        are asked for in one of them, and a fifth of the typed words go missing, so that queries with words and without both work.
        """
        self.dataset, self.profile = dataset, profile
        lines = dataset.timelines
        self.order, self.place = lines.order, lines.place
        seen = np.ones(len(dataset), dtype=bool)
        if visible is not None:
            seen[:] = False
            seen[visible] = True
        along = seen[self.order]  # in order of timelines
        self.before = np.concatenate([[0], np.cumsum(along)])  # visible events before each place
        self.rows = self.order[along]
        self.offsets = self.before[lines.offsets]  # [users + 1] within the visible events
        self.items = torch.tensor(dataset.item_codes)
        self.times = torch.tensor(dataset.times)
        self.users = dataset.user_codes
        self.moments = features.encode(event_frame(dataset))
        self.weights = torch.from_numpy(np.array(dataset.events["weight"].to_numpy(), dtype=np.float32))
        self.positive = dataset.events["positive"].to_numpy()
        self.word_vectors, self.word_rows = words if words is not None else (torch.zeros(1, 0), np.zeros(len(dataset), dtype=np.int64))
        self.phrases, self.phrase_share = phrases, phrase_share

    def seen(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(query number, item code) pairs of all that each query's user did before it."""
        begin, end = self._stretch(rows)
        counts = end - begin
        query = np.repeat(np.arange(len(rows)), counts)
        place = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(begin, counts)
        return query, self.dataset.item_codes[self.rows[place]]

    def queries(self, rows: NDArray[np.int64], length: int) -> QueryBatch:
        """The moments of these events, each with at most ``length`` visible events before it."""
        begin, end = self._stretch(rows)
        history, padded = self._window(begin, end, length)  # [B, T] rows of the event table
        at = torch.from_numpy(rows)
        empty = torch.from_numpy(padded)
        source = torch.from_numpy(history)
        times = self.times[at]
        return QueryBatch(
            users=torch.from_numpy(self.users[rows]),
            times=times,
            history=self.items[source].masked_fill(empty, PAD),
            ages=(times[:, None] - self.times[source]).clamp(min=0).float().masked_fill(empty, 0),
            history_moments=_blank(self.moments[source], empty),
            moment=self.moments[at],
            profile=self.profile[torch.from_numpy(self.users[rows])],
            words=self.word_vectors[torch.from_numpy(self.word_rows[rows])],
        )

    def batches(self, length: int, size: int, rng: np.random.Generator | None) -> Iterator[Batch]:
        """Cut every visible timeline into stretches of at most ``length`` targets, ``size`` stretches a batch, like lengths together.

        Each positive event is a target once; a stretch sees up to ``length`` events before its first target's successor.
        With ``rng``, cuts and order are drawn anew.
        """
        begins, ends = self._cuts(length, rng)
        lengths = ends - begins
        order = np.argsort(lengths + (rng.random(len(lengths)) if rng is not None else 0), kind="stable")
        groups = [order[i : i + size] for i in range(0, len(order), size)]
        if rng is not None:
            rng.shuffle(groups)
        for group in groups:
            yield self._batch(begins[group], ends[group], rng)

    def n_batches(self, length: int, size: int) -> int:
        return -(-len(self._cuts(length, None)[0]) // size)

    def _cuts(self, length: int, rng: np.random.Generator | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        counts = np.diff(self.offsets)
        shift = rng.integers(0, length, len(counts)) if rng is not None else np.zeros(len(counts), dtype=np.int64)
        shift = np.where(counts > length, shift, 0)  # short timelines stay whole
        pieces = np.maximum(-(-(counts + shift) // length), counts > 0)
        user = np.repeat(np.arange(len(counts)), pieces)
        number = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        begin = np.maximum(number * length - shift[user], 0) + self.offsets[user]
        end = np.minimum((number + 1) * length - shift[user], counts[user]) + self.offsets[user]
        return begin, end

    def _batch(self, begins: NDArray[np.int64], ends: NDArray[np.int64], rng: np.random.Generator | None) -> Batch:
        width = int((ends - begins).max())
        targets, padded = self._window(begins, ends, width)  # rows of the targets
        user = self.users[self.rows[begins]]
        place = ends[:, None] - width + np.arange(width) - 1  # the event before each target, within self.rows
        lacking = (place < self.offsets[user][:, None]) | padded
        source = torch.from_numpy(np.where(lacking, 0, self.rows[np.clip(place, 0, None)]))
        empty, at = torch.from_numpy(lacking), torch.from_numpy(targets)
        hidden = torch.from_numpy(padded | ~self.positive[targets])
        queries = QueryBatch(
            users=torch.from_numpy(user),
            times=self.times[at[:, -1]],
            history=self.items[source].masked_fill(empty, PAD),
            ages=(self.times[at] - self.times[source]).clamp(min=0).float().masked_fill(empty, 0),
            history_moments=_blank(self.moments[source], empty),
            moment=self.moments[at],
            profile=self.profile[torch.from_numpy(user)],
            words=self.word_vectors[torch.from_numpy(self._training_words(targets, rng))],
        )
        times = torch.where(empty, self.times[at], self.times[source])
        return Batch(queries, times, self.items[at].masked_fill(hidden, PAD), self.times[at], self.weights[at].masked_fill(hidden, 0))

    def _training_words(self, targets: NDArray[np.int64], rng: np.random.Generator | None) -> NDArray[np.int64]:
        rows = self.word_rows[targets]
        if rng is None or len(self.word_vectors) < 2:
            return rows
        rows = np.where(rng.random(rows.shape) < 0.2, 0, rows)
        if self.phrases is not None and self.phrase_share:
            own = self.phrases[self.dataset.item_codes[targets], rng.integers(0, self.phrases.shape[1], targets.shape)]
            rows = np.where((self.word_rows[targets] == 0) & (rng.random(rows.shape) < self.phrase_share), own, rows)
        return rows

    def _stretch(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return self.offsets[self.users[rows]], self.before[self.place[rows]]

    def _window(self, begin: NDArray[np.int64], end: NDArray[np.int64], length: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """[B, T] rows of the event table and where there is none; T is the longest needed, at most ``length``."""
        width = max(1, min(length, int((end - begin).max(initial=0))))
        place = end[:, None] - width + np.arange(width)
        padded = place < begin[:, None]
        if not len(self.rows):
            return np.zeros_like(place), np.ones_like(padded)
        return np.where(padded, 0, self.rows[np.clip(place, 0, len(self.rows) - 1)]), padded


def query_batch(
    users: Sequence[int],
    times: Sequence[float],
    contexts: pl.DataFrame,
    histories: Sequence[Sequence[tuple[int, float]]],
    history_contexts: pl.DataFrame,
    words: Tensor,
    features: FeatureSet,
    profile: Moments,
    length: int,
) -> QueryBatch:
    """Live queries as tensors.

    ``histories``: (item code, time) of known items, oldest first; ``history_contexts``: one row an event, in the same order.
    """
    cut = [events[-length:] for events in histories]
    width = max(1, max((len(events) for events in cut), default=1))
    history = np.full((len(users), width), PAD, dtype=np.int64)
    ages = np.zeros((len(users), width), dtype=np.float32)
    encoded = features.encode(history_contexts)
    source = np.zeros((len(users), width), dtype=np.int64)
    begin = 0
    for row, (events, kept) in enumerate(zip(histories, cut, strict=True)):
        if kept:
            history[row, -len(kept) :] = [code for code, _ in kept]
            ages[row, -len(kept) :] = np.maximum(times[row] - np.array([time for _, time in kept]), 0)
            source[row, -len(kept) :] = np.arange(begin + len(events) - len(kept), begin + len(events))
        begin += len(events)
    empty = torch.from_numpy(history == PAD)
    at = torch.from_numpy(source)
    moments = _blank(encoded[at], empty) if history_contexts.height else Moments.none(*empty.shape)
    if not history_contexts.height:
        codes, dense = features.shape
        moments = Moments(torch.zeros(*empty.shape, codes, dtype=torch.int64), torch.zeros(*empty.shape, dense))
    return QueryBatch(
        users=torch.tensor(users, dtype=torch.int64),
        times=torch.tensor(times, dtype=torch.float64),
        history=torch.from_numpy(history),
        ages=torch.from_numpy(ages),
        history_moments=moments,
        moment=features.encode(contexts),
        profile=profile,
        words=words,
    )


def _blank(moments: Moments, empty: Tensor) -> Moments:
    return Moments(moments.codes.masked_fill(empty[..., None], 0), moments.dense.masked_fill(empty[..., None], 0))


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
            lists = [None if g is None else [str(v) for v in (g if isinstance(g, list | tuple) else [g])] for g in given]
            frame[name] = pl.Series(name, lists, dtype=pl.List(pl.String))
        elif kind in ("number", "place"):
            frame[name] = pl.Series(name, [None if g is None else float(g) for g in given], dtype=pl.Float64)
        else:
            frame[name] = pl.Series(name, [None if g is None else spelled(g) for g in given], dtype=pl.String)
    return pl.DataFrame(frame) if frame else pl.DataFrame({"": [None] * len(values)})
