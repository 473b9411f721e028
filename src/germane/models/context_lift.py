"""How much oftener an item is taken in a context than elsewhere, counted."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["ContextLift"]

STRIDE = 1 << 31
"""Between the keys of two context values: room for so many items, so that keys stay when items are added."""
BELIEF = 5.0
"""Events added above and below: what was taken seldom says little."""


class ContextLift:
    """Logarithm of how often an item was taken in each value of a context, against what its popularity and the value's would lead one to expect.

    0 where nothing is known: a missing value, an item that nobody took. Read it where one table of all values is too sparse to learn from; it is
    as of the events it was fitted on, so it must not be asked about these very events. Memory: 12 bytes for each value and item taken together.

    >>> lift = ContextLift()
    >>> lift.fit(np.array([[1]] * 20 + [[2]] * 20), np.array([0] * 20 + [1] * 20), n_codes=3, n_items=3)
    >>> (10 * lift(torch.tensor([[1], [0]]), torch.tensor([[0, 1, 2], [0, 1, 2]]))[..., 0]).int().tolist()
    [[5, -10, 0], [0, 0, 0]]
    """

    def __init__(self) -> None:
        self.keys = torch.zeros(0, dtype=torch.int64)
        self.counts = torch.zeros(0, dtype=torch.int32)
        self.of_values = torch.zeros(1)
        self.of_items = torch.zeros(0)
        self.total = torch.ones(())

    def fit(self, codes: NDArray[np.int64], items: NDArray[np.int64], n_codes: int, n_items: int) -> None:
        """Count events with context ``codes`` [events, C], 0 = missing, and ``items`` [events]."""
        there = codes > 0
        keys, counts = np.unique((codes * STRIDE + items[:, None])[there], return_counts=True)
        self.keys, self.counts = torch.from_numpy(keys.astype(np.int64)), torch.from_numpy(counts.astype(np.int32))
        self.of_values = torch.from_numpy(np.bincount(codes[there], minlength=n_codes).astype(np.float32))
        self.of_items = torch.from_numpy(np.bincount(items, minlength=n_items).astype(np.float32))
        self.total = torch.tensor(float(max(len(items), 1)))

    def __call__(self, codes: Tensor, items: Tensor) -> Tensor:
        """[B, K, C] of contexts [B, C] and items [B, K]."""
        if not len(self.keys):
            return torch.zeros(*items.shape, codes.shape[1])
        keys = codes[:, None] * STRIDE + items[..., None]
        place = torch.searchsorted(self.keys, keys).clamp(max=len(self.keys) - 1)
        together = torch.where(self.keys[place] == keys, self.counts[place], 0)
        expected = self.of_values[codes][:, None] * self.of_items[items][..., None] / self.total
        return ((together + BELIEF) / (expected + BELIEF)).log() * (codes > 0)[:, None]

    def grow(self, n_items: int) -> None:
        self.of_items = torch.cat([self.of_items, self.of_items.new_zeros(n_items - len(self.of_items))])

    def state(self) -> dict[str, Tensor]:
        return {"keys": self.keys, "counts": self.counts, "of_values": self.of_values, "of_items": self.of_items, "total": self.total}

    def load_state(self, state: dict[str, Tensor]) -> None:
        self.keys, self.counts = state["keys"], state["counts"]
        self.of_values, self.of_items, self.total = state["of_values"], state["of_items"], state["total"]
