"""How popular each item was lately, as of any time, without looking ahead."""

from __future__ import annotations

from typing import Any

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
    Memory: snapshots × items that training knows × half-lives, all others being zero; the number of snapshots shrinks for large catalogues.
    """

    bounds: Tensor
    taken: Tensor
    """[taken] codes of the items that have counts, ascending; of at least one."""
    kept: Tensor
    """[snapshots, taken, half-lives]"""

    def __init__(self, half_lives: tuple[float, ...], n_items: int, snapshots: int = 128) -> None:
        super().__init__()
        self.half_lives, self.n_items = half_lives, n_items
        size = max(2, min(snapshots, (1 << 26) // max(1, n_items * len(half_lives))))
        self.register_buffer("bounds", torch.zeros(size, dtype=torch.float64))
        self.register_buffer("taken", torch.zeros(1, dtype=torch.int64))
        self.register_buffer("kept", torch.zeros(size, 1, len(half_lives)))

    def fit(self, dataset: Dataset) -> None:
        times = dataset.times
        if not len(times):
            return
        events = dataset.events["weight"].to_numpy().astype(np.float64) * dataset.events["positive"].to_numpy()
        low, high = float(times.min()), float(times.max())
        size, n_items = len(self.bounds), self.n_items
        taken = np.unique(dataset.item_codes)
        self.taken, self.kept = torch.from_numpy(taken), torch.zeros(size, len(taken), len(self.half_lives))
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
                self.kept[snapshot, :, column] = torch.from_numpy(np.log1p(1000 * running[taken] / max(running.sum(), 1e-9)))
        self.bounds.copy_(torch.from_numpy(bounds))

    def snapshot(self, times: Tensor) -> Tensor:
        """[...] the newest snapshot that knows nothing after these times."""
        return (torch.searchsorted(self.bounds, times.to(self.bounds), right=True) - 1).clamp(min=0)

    def of(self, snapshots: Tensor, items: Tensor) -> Tensor:
        """[as broadcast, half-lives] of these items in these snapshots."""
        place = torch.searchsorted(self.taken, items.contiguous()).clamp(max=len(self.taken) - 1)
        return self.kept[snapshots, place] * (self.taken[place] == items)[..., None]

    def weighed(self, snapshots: Tensor | slice, weight: Tensor) -> Tensor:
        """[snapshots, items] of the whole catalogue, with a weight for each half-life."""
        found = self.kept[snapshots] @ weight  # [snapshots, taken]
        if len(self.taken) == self.n_items:
            return found
        return found.new_zeros(len(found), self.n_items).index_copy_(1, self.taken, found)

    def grow(self, n_items: int) -> None:
        """Room for added items: nobody took them yet."""
        self.n_items = n_items

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """As many items as were taken there."""
        for name in ("taken", "kept"):
            if f"{prefix}{name}" in state_dict:
                setattr(self, name, torch.empty_like(state_dict[f"{prefix}{name}"], device=self.bounds.device))
        super()._load_from_state_dict(state_dict, prefix, *rest)
