"""A dataset's events as arrays, of which queries are cut."""

from __future__ import annotations

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..data.dataset import Dataset
from ..encoders import Words
from ..features import FeatureSet, Moments
from ..features.base import TIME
from .batch import PAD, QueryBatch, RowBatch, blank

__all__ = ["EventTable", "event_frame"]


def event_frame(dataset: Dataset, rows: NDArray[np.int64] | None = None) -> pl.DataFrame:
    """What features read: ``time`` and the context columns under their own names."""
    events = dataset.events if rows is None else dataset.events[rows]
    names = [name for name in dataset.columns.moment if f"context:{name}" in events.columns]
    time = [pl.col("time").alias(TIME)] if dataset.has_times else []
    columns = [*time, *(pl.col(f"context:{name}").alias(name) for name in names)]
    return events.select(columns) if columns else pl.DataFrame({"": [None] * events.height})  # a row for each event all the same


class EventTable:
    """A dataset's events as arrays in the order of users' timelines, ready to be cut into batches.

    ``visible`` (rows of the event table) are what histories may hold; queries may be asked at any row. A row with the label 0 is in no history:
    it says what was shown and not taken. Without times, an event's time is how many visible ones its user has before it: what came k events ago is k
    old.
    Memory: 36 bytes an event and 8 C + 4 D for C code and D dense columns.
    """

    def __init__(
        self,
        dataset: Dataset,
        features: FeatureSet,
        *,
        profile: Moments,
        visible: NDArray[np.int64] | None = None,
        words: tuple[Words, NDArray[np.int64]] | None = None,
        past_moments: bool = True,
    ) -> None:
        """``words``: what is typed at all, [distinct, ...] with nothing in row 0, and each event's row among them. ``past_moments``: whether
        ``queries`` tell the context of a history's events too."""
        self.dataset, self.profile, self.past_moments = dataset, profile, past_moments
        lines = dataset.timelines
        self.order, self.place = lines.order, lines.place
        seen = np.ones(len(dataset), dtype=bool)
        if visible is not None:
            seen[:] = False
            seen[visible] = True
        self.labels = _numbers(dataset, "label")
        along = (seen & (self.labels.numpy() != 0))[self.order]  # in order of timelines
        self.before = np.concatenate([[0], np.cumsum(along)])  # visible events before each place
        self.rows = self.order[along]
        self.offsets = self.before[lines.offsets]  # [users + 1] within the visible events
        self.items = torch.tensor(dataset.item_codes)
        self.times = torch.tensor(
            dataset.times if dataset.has_times else (self.before[self.place] - self.offsets[dataset.user_codes]).astype(np.float64)
        )
        self.users = dataset.user_codes
        self.moments = features.encode(event_frame(dataset))
        self.weights = torch.from_numpy(np.array(dataset.events["weight"].to_numpy(), dtype=np.float32))
        self.values = _numbers(dataset, "value")
        self.converted, self.waited = _numbers(dataset, "converted"), _numbers(dataset, "waited")
        self.positive = dataset.events["positive"].to_numpy()
        self.words, self.word_rows = words if words is not None else (Words.none(1, 0), np.zeros(len(dataset), dtype=np.int64))

    def seen(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(query number, item code) pairs of all that each query's user did before it."""
        begin, end = self.stretch(rows)
        counts = end - begin
        query = np.repeat(np.arange(len(rows)), counts)
        place = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(begin, counts)
        return query, self.dataset.item_codes[self.rows[place]]

    def queries(self, rows: NDArray[np.int64], length: int) -> QueryBatch:
        """The moments of these events, each with at most ``length`` visible events before it."""
        begin, end = self.stretch(rows)
        history, padded = self.window(begin, end, length)  # [B, T] rows of the event table
        at = torch.from_numpy(rows)
        empty = torch.from_numpy(padded)
        source = torch.from_numpy(history)
        times = self.times[at]
        return QueryBatch(
            users=torch.from_numpy(self.users[rows]),
            times=times,
            history=self.items[source].masked_fill(empty, PAD),
            ages=(times[:, None] - self.times[source]).clamp(min=0).float().masked_fill(empty, 0),
            history_values=self.values[source].masked_fill(empty, torch.nan),
            history_moments=blank(self.moments[source], empty) if self.past_moments else Moments.none(*empty.shape),
            moment=self.moments[at],
            profile=self.profile[torch.from_numpy(self.users[rows])],
            words=self.words[torch.from_numpy(self.word_rows[rows])],
        )

    def rows_of(self, rows: NDArray[np.int64], length: int) -> RowBatch:
        """These events, each with the item, label, value and outcome that it has."""
        at = torch.from_numpy(rows)
        told = (self.items, self.labels, self.values, self.converted, self.waited, self.weights)
        return RowBatch(self.queries(rows, length), *(column[at] for column in told))

    def stretch(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return self.offsets[self.users[rows]], self.before[self.place[rows]]

    def window(self, begin: NDArray[np.int64], end: NDArray[np.int64], length: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """[B, T] rows of the event table and where there is none; T is the longest needed, at most ``length``."""
        width = max(1, min(length, int((end - begin).max(initial=0))))
        place = end[:, None] - width + np.arange(width)
        padded = place < begin[:, None]
        if not len(self.rows):
            return np.zeros_like(place), np.ones_like(padded)
        return np.where(padded, 0, self.rows[np.clip(place, 0, len(self.rows) - 1)]), padded


def _numbers(dataset: Dataset, column: str) -> Tensor:
    """[events] float32, NaN where it says nothing."""
    if column not in dataset.events.columns:
        return torch.full((len(dataset),), torch.nan)
    return torch.from_numpy(np.array(dataset.events[column].cast(pl.Float32).fill_null(torch.nan).to_numpy()))
