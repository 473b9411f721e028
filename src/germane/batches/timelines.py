"""Users' timelines, cut into stretches: each event is predicted from those before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from ..data.augmentation import Alike, AugmentOptions, Stretches, augmented, cut
from .batch import PAD, Batch, QueryBatch, Shown, blank
from .event_table import EventTable

__all__ = ["Timelines"]


class Timelines:
    """Every visible timeline in stretches of at most ``length`` targets, ``size`` stretches a batch, like lengths together.

    Each positive event is a target once; a stretch sees up to ``length`` events before its first target's successor. For models that
    learn from order; a model that scores rows one at a time takes ``Rows``.

    ``phrases`` [items, K]: rows of the table's words that hold each item's own texts; ``phrase_share`` of the targets without typed
    words are asked for in one of them, and a fifth of the typed words go missing, so that queries with words and without both work.
    ``shown``: rows with the label 0, given beside the stretch that holds what their user did before them. One that came after the last event of
    its stretch is asked for one event earlier; those of users without events are left out.
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
        keys = self._keys(table.users[rows].astype(np.int64), table.before[table.place[rows]])
        order = np.argsort(keys, kind="stable")
        self.shown_keys, self.shown = keys[order], rows[order]

    def __len__(self) -> int:
        """Batches of an epoch; random cuts may make a few more."""
        return -(-len(self._cuts(None)[0]) // self.size)

    def draw(self, rng: np.random.Generator | None) -> Iterator[Batch]:
        """One epoch. With ``rng``, cuts and order are drawn anew."""
        for step in self.steps(rng, 1):
            yield from step

    def steps(self, rng: np.random.Generator | None, batches: int) -> Iterator[list[Batch]]:
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
        for group in groups:
            parts = [group[i : i + self.size] for i in range(0, len(group), self.size)]
            yield [self._batch(begins[part], ends[part], rng, longer[part], alike) for part in parts]

    def _cuts(self, rng: np.random.Generator | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        length, offsets = self.length, self.table.offsets
        counts = np.diff(offsets)
        shift = rng.integers(0, length, len(counts)) if rng is not None else np.zeros(len(counts), dtype=np.int64)
        shift = np.where(counts > length, shift, 0)  # short timelines stay whole
        pieces = np.maximum(-(-(counts + shift) // length), counts > 0)
        user = np.repeat(np.arange(len(counts)), pieces)
        number = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        begin = np.maximum(number * length - shift[user], 0) + offsets[user]
        end = np.minimum((number + 1) * length - shift[user], counts[user]) + offsets[user]
        return begin, end

    def _batch(
        self, begins: NDArray[np.int64], ends: NDArray[np.int64], rng: np.random.Generator | None, longer: NDArray[np.bool_], alike: Alike | None
    ) -> Batch:
        table = self.table
        stretches = self._stretches(begins, ends)
        if rng is not None and self.augment is not None:
            stretches = augmented(stretches, longer, self.augment, table.dataset.item_codes, alike, self.length, rng)
        user = table.users[table.rows[begins]]
        padded = stretches.asked < 0
        events = np.where(padded, 0, stretches.asked)
        source, when, instead = (torch.from_numpy(part) for part in (stretches.before.clip(0), stretches.when.clip(0), stretches.instead))
        empty, at = torch.from_numpy(stretches.before < 0), torch.from_numpy(events)
        nothing = torch.from_numpy(padded | stretches.silent)
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
        return Batch(
            queries,
            history_times=torch.where(empty, table.times[at], table.times[when]),
            targets=table.items[at].masked_fill(nothing | ~torch.from_numpy(table.positive)[at], PAD),
            target_times=table.times[at],
            weights=table.weights[at].masked_fill(nothing, 0),
            items=table.items[at].masked_fill(nothing, PAD),
            values=table.values[at].masked_fill(nothing, torch.nan),
            converted=table.converted[at].masked_fill(nothing, torch.nan),
            waited=table.waited[at],
            shown=self._shown(begins, ends, user, stretches) if len(self.shown) else None,
        )

    def _stretches(self, begins: NDArray[np.int64], ends: NDArray[np.int64]) -> Stretches:
        table = self.table
        width = int((ends - begins).max())
        events, padded = table.window(begins, ends, width)  # rows of the targets
        user = table.users[table.rows[begins]]
        place = ends[:, None] - width + np.arange(width) - 1  # the event before each target, within table.rows
        lacking = (place < table.offsets[user][:, None]) | padded
        return Stretches.of(np.where(padded, -1, events), np.where(lacking, -1, table.rows[np.clip(place, 0, None)]))

    def _keys(self, users: NDArray[np.int64], before: NDArray[np.int64]) -> NDArray[np.int64]:
        """One number for a user and how many visible events stand before."""
        return users * (len(self.table.rows) + 1) + before

    def _shown(self, begins: NDArray[np.int64], ends: NDArray[np.int64], users: NDArray[np.int64], stretches: Stretches) -> Shown:
        table = self.table
        users = users.astype(np.int64)
        last = ends == table.offsets[users + 1]  # what came after all events belongs to the last stretch
        low = np.searchsorted(self.shown_keys, self._keys(users, begins))
        high = np.searchsorted(self.shown_keys, self._keys(users, ends + last))
        counts = high - low
        row = np.repeat(np.arange(len(begins)), counts)
        rows = self.shown[np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(low, counts)]
        along = np.minimum(table.before[table.place[rows]] - begins[row], (ends - begins)[row] - 1)  # how many events of its stretch came before
        place = stretches.place_of(table.rows[begins[row] + along], row)
        at = torch.from_numpy(rows)
        words = table.words[torch.from_numpy(table.word_rows[rows])]
        where = torch.from_numpy(row), torch.from_numpy(place)
        weights = table.weights[at].masked_fill(torch.from_numpy(stretches.silent[row, place]), 0)
        return Shown(*where, table.items[at], table.moments[at], words, table.times[at], weights)

    def _words(self, events: NDArray[np.int64], rng: np.random.Generator | None) -> NDArray[np.int64]:
        table = self.table
        rows = table.word_rows[events]
        if rng is None or len(table.words) < 2:
            return rows
        rows = np.where(rng.random(rows.shape) < 0.2, 0, rows)
        if self.phrases is not None and self.phrase_share:
            own = self.phrases[table.dataset.item_codes[events], rng.integers(0, self.phrases.shape[1], events.shape)]
            rows = np.where((table.word_rows[events] == 0) & (rng.random(rows.shape) < self.phrase_share), own, rows)
        return rows
