"""Typed words as a vector."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...data.dataset import Dataset

__all__ = ["WordTower", "typed_in"]

FEWEST, MOST = 1 << 8, 1 << 16
"""Buckets of words and pairs of words; two in the same bucket share a vector."""


class WordTower(nn.Module):
    """``W z + identity``, with z the whitened vector of all that was typed: what the words mean, and what each word was typed for before.

    Identities start at zero, so a word that was never typed in training is read by its meaning alone. In training each is dropped at random,
    so that the meaning has to be worth something.
    """

    def __init__(self, z: int, width: int, typed: int | None, identity_dropout: float) -> None:
        """``typed``: how many different texts there is to be room for; None: without identities."""
        super().__init__()
        self.identity_dropout = identity_dropout
        self.meaning = nn.Linear(z, width, bias=False)
        self.identity: nn.EmbeddingBag | None = None
        if typed is not None:
            self._make(1 + min(MOST, max(FEWEST, 1 << (4 * typed).bit_length())))

    def _make(self, rows: int) -> None:
        """Row 0 is for no word."""
        self.identity = nn.EmbeddingBag(rows, self.meaning.out_features, mode="sum", padding_idx=0)
        nn.init.zeros_(self.identity.weight)

    def fit_to(self, saved: Tensor | None) -> None:
        """Make room for as many as a saved table holds."""
        if saved is not None:
            self._make(len(saved))

    def forward(self, z: Tensor, codes: Tensor) -> Tensor:
        """``z`` [P, z], ``codes`` [P, K] of ``word_codes`` -> [P, width]"""
        meaning: Tensor = self.meaning(z)
        if self.identity is None:
            return meaning
        there = codes > 0
        if self.training and self.identity_dropout > 0:
            there = there & (torch.rand(codes.shape, device=codes.device) >= self.identity_dropout)
        each: Tensor = self.identity(torch.where(there, codes % (self.identity.num_embeddings - 1) + 1, 0))
        return meaning + each * there.sum(1, keepdim=True).clamp(min=1).rsqrt()


def typed_in(dataset: Dataset) -> int | None:
    """How many different texts users typed. None: events hold none; 0 of a run that is read, which has no events."""
    if dataset.columns.words is None:
        return None
    return dataset.events["words"].n_unique() if "words" in dataset.events.columns else 0
