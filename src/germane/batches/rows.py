"""Rows, each a query with one item: for models that score a row at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray

from .batch import RowBatch
from .event_table import EventTable
from .steps import Steps

__all__ = ["Rows"]

ROUNDS = 20
"""Of drawing again what a user took; who took nearly everything keeps fewer negatives."""


class Rows:
    """The given ``rows`` of the event table, ``size`` a batch, in a new order each epoch. A model that learns from order takes ``Timelines``.

    With ``negatives``, each of them stands beside so many items that its user took in none of the rows, in the same moment and with the label 0;
    they are drawn alike from ``pool`` (item codes), anew each epoch or, with ``redraw=False``, once. Cost of a draw: O(n log n) for n rows.
    """

    def __init__(
        self,
        table: EventTable,
        rows: NDArray[np.int64],
        size: int,
        *,
        length: int = 1,
        negatives: int = 0,
        pool: NDArray[np.int64] | None = None,
        redraw: bool = True,
        seed: int = 0,
    ) -> None:
        self.table, self.rows, self.size, self.length, self.negatives, self.redraw = table, rows, size, length, negatives, redraw
        self.n_items = table.dataset.n_items
        self.pool = pool if pool is not None else np.arange(self.n_items)
        self.taken = np.unique(self._pairs(rows, table.dataset.item_codes[rows])) if negatives else np.zeros(0, dtype=np.int64)
        self.fixed = None if redraw or not negatives else self._drawn(np.random.default_rng(seed))

    def __len__(self) -> int:
        """Batches of an epoch."""
        return -(-len(self.rows) * (1 + self.negatives) // self.size)

    def draw(self, rng: np.random.Generator | None) -> Iterator[RowBatch]:
        """One epoch. Without ``rng``, negatives are those of the first draw and the order is that of the rows."""
        rows, items = self.rows, self.table.dataset.item_codes[self.rows]
        drawn = np.zeros(len(rows), dtype=bool)
        if self.negatives:
            against, others = self.fixed if self.fixed is not None else self._drawn(rng or np.random.default_rng(0))
            drawn = np.repeat([False, True], [len(rows), len(against)])
            rows, items = np.concatenate([rows, against]), np.concatenate([items, others])
        order = rng.permutation(len(rows)) if rng is not None else np.arange(len(rows))
        for begin in range(0, len(order), self.size):
            part = order[begin : begin + self.size]
            batch = self.table.rows_of(rows[part], self.length)
            if self.negatives:
                nothing = torch.from_numpy(drawn[part])
                batch = replace(
                    batch,
                    items=torch.from_numpy(items[part].astype(np.int64)),
                    labels=(~nothing).float(),
                    values=batch.values.masked_fill(nothing, torch.nan),
                    converted=batch.converted.masked_fill(nothing, torch.nan),
                )
            yield batch

    def steps(self, rng: np.random.Generator | None, batches: int) -> Steps[RowBatch]:
        """One epoch, so many batches a step; the last step may have fewer."""
        drawn = self.draw(rng)
        return Steps(-(-len(self) // batches), iter(lambda: list(islice(drawn, batches)), []))

    def _drawn(self, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(rows, items), each pair nothing that its user took."""
        rows = np.repeat(self.rows, self.negatives)
        items = self.pool[rng.integers(0, len(self.pool), len(rows))]
        bad = self._took(rows, items)
        for _ in range(ROUNDS):
            if not len(bad):
                return rows, items
            items[bad] = self.pool[rng.integers(0, len(self.pool), len(bad))]
            bad = bad[self._took(rows[bad], items[bad])]
        return np.delete(rows, bad), np.delete(items, bad)

    def _took(self, rows: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.int64]:
        pairs = self._pairs(rows, items)
        place = np.searchsorted(self.taken, pairs).clip(max=len(self.taken) - 1)
        return np.flatnonzero(self.taken[place] == pairs)

    def _pairs(self, rows: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.int64]:
        pairs: NDArray[np.int64] = self.table.users[rows].astype(np.int64) * self.n_items + items
        return pairs
