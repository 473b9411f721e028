"""The second look: what a product of two vectors cannot see."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor, nn

from ..memory import REMEMBERED
from ..perceptron import Perceptron

__all__ = ["SecondLook"]

FACTS = 3 + REMEMBERED
"""Numbers beside the vectors: three parts of the ranking score, and those of ``memory``."""


class SecondLook(nn.Module):
    """Query, item and moment together, through cross layers and a perceptron (DCN-v2; Wang et al., 2021); one number for each head.

    Starts from what the ranking score says, so that heads begin where it stands. Cost of a pair: O(width²), against O(width) of a product.
    """

    def __init__(self, width: int, heads: Collection[str], n_items: int, dropout: float, crosses: int = 2) -> None:
        super().__init__()
        into = 4 * width + FACTS
        self.crosses = nn.ModuleList(nn.Linear(into, into) for _ in range(crosses))
        self.norm = nn.LayerNorm(into)
        self.perceptron = Perceptron(into, 2 * width, width, dropout=dropout)
        self.out = nn.ModuleDict({head: nn.Linear(into + width, 1) for head in sorted(heads)})
        self.item_bias = nn.ParameterDict({head: nn.Parameter(torch.zeros(n_items)) for head in sorted(heads)})

    def forward(self, query: Tensor, item: Tensor, moment: Tensor, facts: Tensor, items: Tensor) -> dict[str, Tensor]:
        """Vectors [..., width], ``facts`` [..., 6], codes ``items`` [...]; leading dimensions broadcast. Gives [...] for each head."""
        query, item, moment = torch.broadcast_tensors(query, item, moment)
        start = self.norm(torch.cat([query, item, moment, query * item, facts.expand(*query.shape[:-1], -1)], dim=-1))
        x = start
        for layer in self.crosses:
            x = start * layer(x) + x
        seen = torch.cat([x, self.perceptron(start)], dim=-1)
        return {head: self.out[head](seen)[..., 0] + self.item_bias[head][items] for head in self.out}

    def grow(self, n_items: int) -> None:
        for head, bias in self.item_bias.items():
            self.item_bias[head] = nn.Parameter(torch.cat([bias.detach(), bias.new_zeros(n_items - len(bias))]))
