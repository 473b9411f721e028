"""Users' timelines, cut into stretches: each event is predicted from those before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ..data.augmentation import Alike, AugmentOptions, Stretches, augmented, cut
from .batch import PAD, Batch, Places, QueryBatch, Shown, blank
from .event_table import EventTable
from .steps import Steps

__all__ = ["Timelines"]


class Timelines:
    """Every visible timeline in stretches of at most ``length`` targets, ``size`` stretches a batch, like lengths together.

    Each positive event is a target once; a stretch sees up to ``length`` events before its first target's successor. For models that
    learn from order; a model that scores rows one at a time takes ``Rows``.

    ``phrases`` [items, K]: rows of the table's words that hold each item's own texts; ``phrase_share`` of the targets are asked for once more in one
    of them. A fifth of the typed words go missing, so that queries without words work.
    ``shown``: rows with the label 0, given beside the stretch that holds what their user did before them. Where some came after all events of their
    user, or where there are no events, the user's timeline ends in a place at which nothing is to be predicted.
    ``augment``: how stretches are changed where an epoch draws them anew; ``alike`` gives, at the begin of each epoch, what finds items to insert.
    """

    def __init__(
        self,
        table: EventTable,
        length: int,
        size: int,
        *,
        phrases: NDArray[np.int64] | None = None,
        phrase_share: float = 0.0,
        shown: NDArray[np.int64] | None = None,
        augment: AugmentOptions | None = None,
        alike: Callable[[], Alike] | None = None,
    ) -> None:
        self.table, self.length, self.size = table, length, size
        self.phrases, self.phrase_share = phrases, phrase_share
        self.augment, self.alike = augment, alike
        rows = shown if shown is not None else np.zeros(0, dtype=np.int64)
        users, before = table.users[rows], table.before[table.place[rows]]
        late = before == table.offsets[users + 1]
        open_at = np.full(len(table.offsets) - 1, -1)  # [users] the row whose moment stands at the end of a timeline that ends in such a place
        open_at[users[late]] = rows[late]
        opens = np.flatnonzero(open_at >= 0)
        self.starts = table.offsets + np.concatenate([[0], np.cumsum(open_at >= 0)])  # [users + 1] within the places
        self.places = np.insert(table.rows, table.offsets[opens + 1], open_at[opens]) if len(opens) else table.rows  # rows of the event table
        places = before - table.offsets[users] + self.starts[users]
        order = np.argsort(places, kind="stable")
        self.shown_places, self.shown = places[order], rows[order]

    def __len__(self) -> int:
        """Batches of an epoch; random cuts may make a few more."""
        return -(-len(self._cuts(None)[0]) // self.size)

    def draw(self, rng: np.random.Generator | None) -> Iterator[Batch]:
        """One epoch. With ``rng``, cuts and order are drawn anew."""
        for step in self.steps(rng, 1):
            yield from step

    def steps(self, rng: np.random.Generator | None, batches: int) -> Steps[Batch]:
        """One epoch, so many batches a step; together they hold the stretches that one of ``batches`` times the size would."""
        begins, ends = self._cuts(rng)
        longer, alike = np.zeros(len(begins), dtype=bool), None
        if rng is not None and self.augment is not None:
            begins, ends, longer = cut(begins, ends, self.augment, self.length, rng)
            alike = self.alike() if self.alike is not None else None
        lengths = ends - begins
        order = np.argsort(lengths + (rng.random(len(lengths)) if rng is not None else 0), kind="stable")
        groups = [order[i : i + batches * self.size] for i in range(0, len(order), batches * self.size)]
        if rng is not None:
            rng.shuffle(groups)
        parted = ([group[i : i + self.size] for i in range(0, len(group), self.size)] for group in groups)
        return Steps(len(groups), ([self._batch(begins[part], ends[part], rng, longer[part], alike) for part in parts] for parts in parted))

    def _cuts(self, rng: np.random.Generator | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        length, starts = self.length, self.starts
        counts = np.diff(starts)
        shift = rng.integers(0, length, len(counts)) if rng is not None else np.zeros(len(counts), dtype=np.int64)
        shift = np.where(counts > length, shift, 0)  # short timelines stay whole
        pieces = np.maximum(-(-(counts + shift) // length), counts > 0)
        user = np.repeat(np.arange(len(counts)), pieces)
        number = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        begin = np.maximum(number * length - shift[user], 0) + starts[user]
        end = np.minimum((number + 1) * length - shift[user], counts[user]) + starts[user]
        return begin, end

    def _batch(
        self, begins: NDArray[np.int64], ends: NDArray[np.int64], rng: np.random.Generator | None, longer: NDArray[np.bool_], alike: Alike | None
    ) -> Batch:
        table = self.table
        user = np.searchsorted(self.starts, begins, side="right") - 1
        stretches = self._stretches(begins, ends, self.starts[user])
        if rng is not None and self.augment is not None:
            stretches = augmented(stretches, longer, self.augment, table.dataset.item_codes, alike, self.length, rng)
        padded = stretches.asked < 0
        events = np.where(padded, 0, stretches.asked)
        source, when, instead = (torch.from_numpy(part) for part in (stretches.before.clip(0), stretches.when.clip(0), stretches.instead))
        empty, at = torch.from_numpy(stretches.before < 0), torch.from_numpy(events)
        nothing = torch.from_numpy(padded | stretches.silent) | (table.labels[at] == 0)
        queries = QueryBatch(
            users=torch.from_numpy(user),
            times=table.times[at[:, -1]],
            history=torch.where(instead < 0, table.items[source], instead.to(table.items.dtype)).masked_fill(empty, PAD),
            ages=(table.times[at] - table.times[when]).clamp(min=0).float().masked_fill(empty, 0),
            history_values=table.values[source].masked_fill(empty, torch.nan),
            history_moments=blank(table.moments[source], empty),
            moment=table.moments[at],
            profile=table.profile[torch.from_numpy(user)],
            words=table.words[torch.from_numpy(self._words(events, rng))],
        )
        history_times = torch.where(empty, table.times[at], table.times[when])
        past, past_times = self._past(begins, self.starts[user], padded, queries.history, history_times)
        targets = table.items[at].masked_fill(nothing | ~torch.from_numpy(table.positive)[at], PAD)
        return Batch(
            queries,
            history_times=history_times,
            past=past,
            past_times=past_times,
            targets=targets,
            target_times=table.times[at],
            weights=table.weights[at].masked_fill(nothing, 0),
            items=table.items[at].masked_fill(nothing, PAD),
            labels=table.labels[at].masked_fill(nothing, torch.nan),
            values=table.values[at].masked_fill(nothing, torch.nan),
            converted=table.converted[at].masked_fill(nothing, torch.nan),
            waited=table.waited[at],
            shown=self._shown(begins, ends, stretches) if len(self.shown) else None,
            named=self._named(events, targets, rng) if rng is not None and self.phrases is not None and self.phrase_share else None,
        )

    def _stretches(self, begins: NDArray[np.int64], ends: NDArray[np.int64], starts: NDArray[np.int64]) -> Stretches:
        width = int((ends - begins).max())
        place = ends[:, None] - width + np.arange(width)
        padded = place < begins[:, None]
        lacking = padded | (place <= starts[:, None])  # nothing came before
        asked, before = (self.places[np.clip(at, 0, None)] for at in (place, place - 1))
        return Stretches.of(np.where(padded, -1, asked), np.where(lacking, -1, before))

    def _past(
        self, begins: NDArray[np.int64], starts: NDArray[np.int64], padded: NDArray[np.bool_], history: Tensor, times: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The history [B, T] and its times, and left of it as many events as make ``length`` before each place, where there are so many."""
        first = padded.sum(1)  # [B] the first place, before which stands the event before ``begins``
        lacking = np.minimum(begins - starts, self.length) - 1 - first
        more = int(lacking.max(initial=0))
        if more <= 0:
            return history, times
        event = (begins - 1)[:, None] - (more + first)[:, None] + np.arange(more + padded.shape[1])  # [B, E + T] within the places
        earlier = (event < (begins - 1)[:, None]) & (event >= starts[:, None])
        source, there = torch.from_numpy(self.places[np.where(earlier, event, 0)]), torch.from_numpy(earlier)
        past, past_times = (functional.pad(part, (more, 0), value=PAD) for part in (history, times))
        return torch.where(there, self.table.items[source].to(past.dtype), past), torch.where(there, self.table.times[source], past_times)

    def _shown(self, begins: NDArray[np.int64], ends: NDArray[np.int64], stretches: Stretches) -> Shown:
        table = self.table
        low, high = np.searchsorted(self.shown_places, begins), np.searchsorted(self.shown_places, ends)
        counts = high - low
        row = np.repeat(np.arange(len(begins)), counts)
        which = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(low, counts)
        rows = self.shown[which]
        place = stretches.place_of(self.places[self.shown_places[which]], row)
        at = torch.from_numpy(rows)
        words = table.words[torch.from_numpy(table.word_rows[rows])]
        where = torch.from_numpy(row), torch.from_numpy(place)
        weights = table.weights[at].masked_fill(torch.from_numpy(stretches.silent[row, place]), 0)
        return Shown(*where, table.moments[at], words, table.times[at], table.items[at], weights)

    def _words(self, events: NDArray[np.int64], rng: np.random.Generator | None) -> NDArray[np.int64]:
        table = self.table
        rows = table.word_rows[events]
        if rng is None or len(table.words) < 2:
            return rows
        return np.where(rng.random(rows.shape) < 0.2, 0, rows)

    def _named(self, events: NDArray[np.int64], targets: Tensor, rng: np.random.Generator) -> Places:
        assert self.phrases is not None
        own = self.phrases[self.table.dataset.item_codes[events], rng.integers(0, self.phrases.shape[1], events.shape)]
        again = (own > 0) & (rng.random(own.shape) < self.phrase_share) & (targets >= 0).numpy()
        row, place = (torch.from_numpy(part) for part in np.nonzero(again))
        at, words = torch.from_numpy(events[again]), self.table.words[torch.from_numpy(own[again])]
        return Places(row, place, self.table.moments[at], words, self.table.times[at])
