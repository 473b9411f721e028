"""The history: a causal transformer with a relative-time bias."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..dropout import Dropout
from ..layers import Block, Blocks, hidden_places

__all__ = ["HistoryTransformer", "time_buckets"]

N_BUCKETS = 32


def time_buckets(seconds: Tensor) -> Tensor:
    """Seconds to one of 32 buckets, 1.15 of them for each doubling; the last holds all that is older than four years."""
    return (seconds.clamp(min=0).log1p() * (1.5 / math.log(2) / 1.3)).long().clamp(max=N_BUCKETS - 1)


class HistoryTransformer(nn.Module):
    """What the events up to each place say. Positions count from the newest, so a history may be cut anywhere on the left.

    Cost: O(T² width) a user. The relative-time bias follows HSTU (Zhai et al., 2024).
    """

    def __init__(self, width: int, blocks: int, heads: int, length: int, dropout: float, relative_time: bool, gated: bool = False) -> None:
        super().__init__()
        self.heads, self.length = heads, length
        self.blocks = Blocks(Block(width, heads, dropout, gated=gated) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)
        self.distance = nn.Embedding(length + 1, heads)
        self.since = nn.Embedding(N_BUCKETS, heads) if relative_time else None
        nn.init.zeros_(self.distance.weight)
        if self.since is not None:
            nn.init.zeros_(self.since.weight)
        self.drop = Dropout(dropout)

    def forward(self, x: Tensor, empty: Tensor, times: Tensor) -> Tensor:
        """x [B, T, width], empty [B, T], times [B, T] -> [B, T, width]"""
        t = x.shape[1]
        places = torch.arange(t, device=x.device)
        apart = places[:, None] - places[None, :]  # [T, T]; how far behind
        bias = self.distance(apart.clamp(0, self.length)).permute(2, 0, 1)[None]  # [1, heads, T, T]
        if self.since is not None:
            gaps = (times[:, :, None] - times[:, None, :]).clamp(min=0).float()
            bias = bias + self.since(time_buckets(gaps)).permute(0, 3, 1, 2)
        bias = bias.expand(x.shape[0], -1, -1, -1).masked_fill(hidden_places(empty)[:, None], -1e9)
        out: Tensor = self.norm(self.blocks(self.drop(x), bias))
        return out
