"""Neural collaborative filtering."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from ...search_space import Searched
from ..base import Abilities
from ..fields import Row
from ..perceptron import Perceptron
from ..rowwise import RowWise, RowWiseOptions

__all__ = ["NCF", "NCFOptions"]


class NCFOptions(RowWiseOptions):
    layers: tuple[int, ...] = (64, 32, 16)
    """Numbers in each dense layer of the perceptron."""
    dropout: Annotated[float, Searched(0.0, 0.6)] = Field(default=0.0, ge=0, lt=1)
    """Share of the perceptron's numbers left out of a training step."""


class NCF(RowWise):
    """A product of embeddings beside a perceptron over embeddings of their own, joined by one layer (NeuMF; He et al., 2017), trained from scratch.

    Reads ids only. A plain product, well tuned, is as good or better (Rendle et al., 2020): see ``BiasedMF``.
    """

    options: NCFOptions
    abilities = Abilities(gives=frozenset({"click", "rating", "conversion"}))
    std = 0.05

    def vector_width(self) -> int:
        return 2 * self.options.width  # one half for the product, one for the perceptron

    def build(self) -> None:
        width, layers = self.options.width, self.options.layers
        self.perceptron = Perceptron(2 * width, *layers, dropout=self.options.dropout)
        self.out = nn.Linear(width + (layers[-1] if layers else 2 * width), 1)

    def interact(self, row: Row) -> Tensor:
        user, item = torch.broadcast_tensors(row.asked.user, row.offered.item)
        half = self.options.width
        seen = self.perceptron(torch.cat([user[..., half:], item[..., half:]], dim=-1))
        out: Tensor = self.out(torch.cat([user[..., :half] * item[..., :half], seen], dim=-1))[..., 0]
        return out
