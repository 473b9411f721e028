"""Typed words as a vector."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["WordTower"]

BUCKETS = 1 << 16
"""Of words and pairs of words; two in the same bucket share a vector."""


class WordTower(nn.Module):
    """``W z + identity``, with z the whitened vector of all that was typed: what the words mean, and what each word was typed for before.

    Identities start at zero, so a word that was never typed in training is read by its meaning alone. In training each is dropped at random,
    so that the meaning has to be worth something.
    """

    def __init__(self, z: int, width: int, *, identity: bool, identity_dropout: float) -> None:
        super().__init__()
        self.identity_dropout = identity_dropout
        self.meaning = nn.Linear(z, width, bias=False)
        self.identity = nn.EmbeddingBag(BUCKETS + 1, width, mode="sum", padding_idx=0) if identity else None
        if self.identity is not None:
            nn.init.zeros_(self.identity.weight)

    def forward(self, z: Tensor, codes: Tensor) -> Tensor:
        """``z`` [P, z], ``codes`` [P, K] of ``word_codes`` -> [P, width]"""
        meaning: Tensor = self.meaning(z)
        if self.identity is None:
            return meaning
        there = codes > 0
        if self.training and self.identity_dropout > 0:
            there = there & (torch.rand(codes.shape, device=codes.device) >= self.identity_dropout)
        each: Tensor = self.identity(torch.where(there, codes % BUCKETS + 1, 0))
        return meaning + each * there.sum(1, keepdim=True).clamp(min=1).rsqrt()
