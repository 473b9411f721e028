"""Who is asking, as a vector of their own."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from ..layers import START, silence

__all__ = ["PersonTower"]


class PersonTower(nn.Module):
    """A trainable vector for each user that training knows. Left out of whole stretches at random in training, so that strangers are normal."""

    def __init__(self, n_users: int, seen: Tensor, width: int, dropout: float = 0.1) -> None:
        """``seen`` [...] codes of the users of training events; others of the ``n_users`` are strangers like those to come."""
        super().__init__()
        self.dropout = dropout
        self.table = nn.Embedding(n_users + 1, width, padding_idx=0)  # row 0: nobody that training knows
        nn.init.normal_(self.table.weight, std=START)
        silence(self.table, seen + 1)

    def forward(self, users: Tensor) -> Tensor:
        """Codes [B] -> [B, width]"""
        known = (users >= 0) & (users < self.table.num_embeddings - 1)
        if self.training:
            known = known & (torch.rand(users.shape, device=users.device) >= self.dropout)
        return cast(Tensor, self.table(torch.where(known, users + 1, 0)))

    def fit_to(self, rows: int) -> None:
        """Make room for as many users as a saved table holds."""
        if rows != self.table.num_embeddings:
            self.table = nn.Embedding(rows, self.table.embedding_dim, padding_idx=0)
