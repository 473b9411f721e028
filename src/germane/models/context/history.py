"""The history: a causal transformer with a relative-time bias."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Block", "HistoryTransformer", "time_buckets"]

N_BUCKETS = 32


def time_buckets(seconds: Tensor) -> Tensor:
    """Seconds to one of 32 buckets, two for each doubling beyond a second."""
    return (seconds.clamp(min=0).log1p() * (1.5 / math.log(2) / 1.3)).long().clamp(max=N_BUCKETS - 1)


class Block(nn.Module):
    """Pre-norm attention and feed-forward."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.norm_attention, self.norm_feed = nn.LayerNorm(width), nn.LayerNorm(width)
        self.projections, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.feed = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * width, width))
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """x [B, T, width], bias [B, heads or 1, T, T]"""
        b, t, width = x.shape
        q, k, v = self.projections(self.norm_attention(x)).reshape(b, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=bias, dropout_p=self.dropout if self.training else 0.0)
        x = x + self.drop(self.out(mixed.transpose(1, 2).reshape(b, t, width)))
        fed: Tensor = self.drop(self.feed(self.norm_feed(x)))
        return x + fed


class HistoryTransformer(nn.Module):
    """What the events up to each place say. Positions count from the newest, so a history may be cut anywhere on the left.

    Cost: O(T² width) a user. The relative-time bias follows HSTU (Zhai et al., 2024).
    """

    def __init__(self, width: int, blocks: int, heads: int, length: int, dropout: float, relative_time: bool) -> None:
        super().__init__()
        self.heads, self.length = heads, length
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)
        self.distance = nn.Embedding(length + 1, heads)
        self.since = nn.Embedding(N_BUCKETS, heads) if relative_time else None
        nn.init.zeros_(self.distance.weight)
        if self.since is not None:
            nn.init.zeros_(self.since.weight)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor, empty: Tensor, times: Tensor) -> Tensor:
        """x [B, T, width], empty [B, T], times [B, T] -> [B, T, width]"""
        t = x.shape[1]
        places = torch.arange(t, device=x.device)
        apart = places[:, None] - places[None, :]  # [T, T]; how far behind
        bias = self.distance(apart.clamp(0, self.length)).permute(2, 0, 1)[None]  # [1, heads, T, T]
        if self.since is not None:
            gaps = (times[:, :, None] - times[:, None, :]).clamp(min=0).float()
            bias = bias + self.since(time_buckets(gaps)).permute(0, 3, 1, 2)
        hidden = (apart < 0)[None] | empty[:, None, :]  # [B, T, T]
        hidden = hidden & ~torch.eye(t, dtype=torch.bool, device=x.device)  # a padded place attends to itself, so that no row is empty
        bias = bias.expand(x.shape[0], -1, -1, -1).masked_fill(hidden[:, None], -1e9)
        x = self.drop(x)
        for block in self.blocks:
            x = block(x, bias)
        out: Tensor = self.norm(x)
        return out
