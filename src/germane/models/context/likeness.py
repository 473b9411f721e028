"""How alike items are to what was taken before, by what is fixed of them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["ContentLikeness"]


class ContentLikeness(nn.Module):
    """Recency-weighted means of the history's texts and side features, as content neighbours have them; fades and weights are learned.

    Next-item training does not find this by itself, and new items live by it. Cost: O(T² (z + traits)) for a history of T events.
    """

    def __init__(self, text_width: int) -> None:
        super().__init__()
        self.text_width = text_width
        self.weight = nn.Parameter(torch.ones(2))  # of texts, of side features
        self.fade = nn.Parameter(torch.ones(2))  # of an event against the one after it, before the sigmoid

    def means(self, fixed: Tensor) -> Tensor:
        """``fixed`` [B, T, z + traits] of the history, zero where there is none -> the same up to each place, both parts of unit length."""
        place = torch.arange(fixed.shape[1], device=fixed.device)
        apart = (place[:, None] - place[None, :]).float()
        fades = torch.sigmoid(self.fade)[:, None, None]
        weights = torch.where(apart >= 0, fades ** apart.clamp(min=0), 0.0)  # [2, T, T]
        return torch.cat([functional.normalize(w @ part, dim=-1) for w, part in zip(weights, self._parts(fixed), strict=True)], dim=-1)

    def weighed(self, means: Tensor) -> Tensor:
        """[..., z + traits] to be multiplied with what is fixed of the items."""
        texts, traits = self._parts(means)
        return torch.cat([texts * self.weight[0], traits * self.weight[1]], dim=-1)

    def _parts(self, fixed: Tensor) -> tuple[Tensor, Tensor]:
        return fixed[..., : self.text_width], fixed[..., self.text_width :]
