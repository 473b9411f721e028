"""Two embeddings and three dense layers: the smallest neural recommender that is taught."""

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

__all__ = ["TwoEmbeddings", "TwoEmbeddingsOptions"]


class TwoEmbeddingsOptions(RowWiseOptions):
    hidden: Annotated[int, Searched(choices=(50, 100, 200))] = Field(default=100, ge=1)
    """Numbers in each dense layer."""


class TwoEmbeddings(RowWise):
    """User and item embedding, each through a dense layer, side by side through another, one number out.

    Reads ids only. To learn from and to compare with; prefer ``NCF`` among models of its kind, ``ContextTransformer`` for anything real.
    docs/two-embeddings.md walks through it layer by layer.
    """

    options: TwoEmbeddingsOptions
    abilities = Abilities(gives=frozenset({"click", "rating", "conversion"}))
    std = 0.05

    def build(self) -> None:
        width, hidden = self.options.width, self.options.hidden
        self.user_layer, self.item_layer = Perceptron(width, hidden), Perceptron(width, hidden)
        self.joint_layer = Perceptron(2 * hidden, hidden)
        self.out = nn.Linear(hidden, 1)

    def interact(self, row: Row) -> Tensor:
        user, item = torch.broadcast_tensors(self.user_layer(row.asked.user), self.item_layer(row.offered.item))
        out: Tensor = self.out(self.joint_layer(torch.cat([user, item], dim=-1)))[..., 0]
        return out
