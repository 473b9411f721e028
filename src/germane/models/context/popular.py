"""How popular each item was lately, as of any time, without looking ahead."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ...data.dataset import Dataset

__all__ = ["RecentPopularity"]

DAY = 86_400.0


class RecentPopularity(nn.Module):
    """Log counts of each item, decayed with given half-lives, in snapshots along the training period.

    An event counts what it weighs, and not at all where it may be no target (``positive``).
    A moment reads the last snapshot that lies before it, so an event never counts itself; moments after training read the last.
    Memory: snapshots × items × half-lives; the number of snapshots shrinks for large catalogues.
    """

    bounds: Tensor
    counts: Tensor

    def __init__(self, half_lives: tuple[float, ...], n_items: int, snapshots: int = 128) -> None:
        super().__init__()
        self.half_lives = half_lives
        size = max(2, min(snapshots, (1 << 26) // max(1, n_items * len(half_lives))))
        self.register_buffer("bounds", torch.zeros(size, dtype=torch.float64))
        self.register_buffer("counts", torch.zeros(size, n_items, len(half_lives)))

    def fit(self, dataset: Dataset) -> None:
        times = dataset.times
        if not len(times):
            return
        events = dataset.events["weight"].to_numpy().astype(np.float64) * dataset.events["positive"].to_numpy()
        low, high = float(times.min()), float(times.max())
        size, n_items, _ = self.counts.shape
        # The first snapshot knows nothing; the last lies just behind the newest event.
        bounds = np.linspace(low, np.nextafter(high, np.inf), size)
        cell = np.searchsorted(bounds, times, side="right")  # an event is known from the snapshot after it
        cell = np.where(cell >= size, size - 1, cell)
        for column, half_life in enumerate(self.half_lives):
            running = np.zeros(n_items)
            order = np.argsort(cell, kind="stable")
            starts = np.searchsorted(cell[order], np.arange(size + 1))
            for snapshot in range(size):
                if snapshot:
                    running *= 0.5 ** ((bounds[snapshot] - bounds[snapshot - 1]) / (half_life * DAY))
                rows = order[starts[snapshot] : starts[snapshot + 1]]
                if len(rows):
                    fade = 0.5 ** ((bounds[snapshot] - times[rows]) / (half_life * DAY))
                    running += np.bincount(dataset.item_codes[rows], weights=fade * events[rows], minlength=n_items)[:n_items]
                # Shares rather than counts, so that a busy week weighs like a quiet one.
                self.counts[snapshot, :, column] = torch.from_numpy(np.log1p(1000 * running / max(running.sum(), 1e-9)))
        self.bounds.copy_(torch.from_numpy(bounds))

    def snapshot(self, times: Tensor) -> Tensor:
        """[...] the newest snapshot that knows nothing after these times."""
        return (torch.searchsorted(self.bounds, times.to(self.bounds), right=True) - 1).clamp(min=0)

    def grow(self, n_items: int) -> None:
        """Room for added items: nobody took them yet."""
        more = self.counts.new_zeros(self.counts.shape[0], n_items - self.counts.shape[1], self.counts.shape[2])
        self.counts = torch.cat([self.counts, more], dim=1)
