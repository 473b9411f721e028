"""What an item has whoever asks: its own bias, and how popular it was lately."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...data.dataset import Dataset
from .popular import RecentPopularity

__all__ = ["Prior"]


class Prior(nn.Module):
    """A bias for each known item and a learned weight on its recent popularity as of the moment asked about.

    Without half-lives the bias alone. ``known`` [items] bool: items without training events have neither.
    """

    def __init__(self, n_items: int, half_lives: tuple[float, ...]) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(n_items))
        self.recent = RecentPopularity(half_lives, n_items) if half_lives else None
        self.recent_weight = nn.Parameter(torch.full((len(half_lives),), 0.3)) if half_lives else None

    def fit(self, dataset: Dataset) -> None:
        if self.recent is not None:
            self.recent.fit(dataset)

    def newest(self, known: Tensor) -> Tensor:
        """[items] as of now."""
        return self._with(known, slice(-1, None))[0]

    def at(self, times: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """[snapshots, items] of the popularity that these times [n] knew, and which snapshot each knew, [n]."""
        snapshots, row = self.snapshots(times)
        return self._with(known, snapshots if self.recent is not None else slice(None)), row

    def snapshots(self, times: Tensor) -> tuple[Tensor, Tensor]:
        """Those that these times [n] knew, and which of them each knew, [n]."""
        if self.recent is None:
            return torch.zeros(1, dtype=torch.int64, device=times.device), torch.zeros(len(times), dtype=torch.int64, device=times.device)
        snapshots, row = torch.unique(self.recent.snapshot(times), return_inverse=True)
        return snapshots, row

    def some(self, snapshots: Tensor, items: Tensor, known: Tensor) -> Tensor:
        """As broadcast: of these items in these snapshots, at the cost of these alone and not of the catalogue."""
        bias = self.bias[items] * known[items]
        if self.recent is None or self.recent_weight is None:
            return bias.expand(torch.broadcast_shapes(snapshots.shape, items.shape))
        return bias + self.recent.of(snapshots, items) @ self.recent_weight

    def of(self, times: Tensor, known: Tensor, items: Tensor | None) -> Tensor:
        """[n, items] of the whole catalogue, of shared items [k], or of own rows [n, k]."""
        if items is None:
            prior, row = self.at(times, known)
            return prior[row]
        snapshots, row = self.snapshots(times)
        told = self.some(snapshots[row][:, None], items if items.ndim == 2 else items[None], known)
        return told.expand(len(times), -1)

    def _with(self, known: Tensor, snapshots: Tensor | slice) -> Tensor:
        bias = self.bias * known
        if self.recent is None or self.recent_weight is None:
            return bias[None]
        return bias + self.recent.weighed(snapshots, self.recent_weight)

    def grow(self, n_items: int) -> None:
        """Room for added items: no bias, and nobody took them yet."""
        self.bias = nn.Parameter(torch.cat([self.bias.detach(), self.bias.new_zeros(n_items - len(self.bias))]))
        if self.recent is not None:
            self.recent.grow(n_items)
