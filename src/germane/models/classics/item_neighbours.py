"""Item neighbours: what those who took this took as well."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from ...batches import QueryBatch
from ...component import Options
from ...data.dataset import Dataset
from ...encoders import ItemContent
from ...features import FeatureSet
from ...search_space import Searched
from ..base import Abilities
from .from_history import FromHistory, faded
from .taken import taken
from .together import together

__all__ = ["ItemNeighbours", "ItemNeighboursOptions"]


class ItemNeighboursOptions(Options):
    neighbours: Annotated[int, Searched(20, 500, log=True)] = Field(default=200, ge=1)
    """How many of the most similar items are kept for each."""
    shrink: Annotated[float, Searched(choices=(0.0, 3.0, 10.0, 30.0, 100.0))] = Field(default=10.0, ge=0)
    """Added to the denominator of the cosine: pairs with little evidence count less."""
    fade: Annotated[float, Searched(0.5, 1.0)] = Field(default=0.95, gt=0, le=1)
    """Weight of an event against the one after it."""


class ItemNeighbours(FromHistory):
    """Sum of shrunk cosines to the items of the history, newer ones weighing more (Sarwar et al., 2001).

    Strong on small, dense data and quick to fit; reads no context and cannot score new items: prefer ``ContextTransformer`` for both.
    Memory: items × neighbours; fitting costs the pairs of items that one user took, of all users.
    """

    options: ItemNeighboursOptions
    abilities = Abilities(reads=frozenset({"history"}))

    def prepare(self, dataset: Dataset, content: ItemContent, features: FeatureSet) -> None:
        self.n_items = content.n_items
        k = min(self.options.neighbours, self.n_items)
        self.index = torch.zeros(self.n_items, k, dtype=torch.int64)
        self.similarity = torch.zeros(self.n_items, k)

    def fit(self, dataset: Dataset) -> None:
        users, items = (torch.from_numpy(codes) for codes in taken(dataset)[:2])
        norms = torch.bincount(items, minlength=self.n_items).float().sqrt()
        k = self.index.shape[1]
        for block, counts in together(items, users, torch.ones(len(items)), self.n_items):
            cosine = counts / (norms[block, None] * norms[None] + self.options.shrink).clamp(min=1e-9)  # an item that nobody took: 0, not 0/0
            cosine[torch.arange(len(block)), block] = 0
            top = cosine.topk(k, dim=1)
            self.similarity[block], self.index[block] = top.values, top.indices

    def catalogue(self, queries: QueryBatch) -> Tensor:
        codes, weights = faded(queries.history, self.options.fade, len(self.index))
        scores = torch.zeros(len(queries), self.n_items)
        spread = self.similarity[codes] * weights[..., None]  # [B, T, k]
        scores.scatter_add_(1, self.index[codes].flatten(1), spread.flatten(1))
        return scores

    def add_items(self, content: ItemContent) -> None:
        self.n_items = content.n_items

    def state(self) -> dict[str, Tensor]:
        return {"index": self.index.contiguous(), "similarity": self.similarity.contiguous()}

    def load_state(self, state: dict[str, Tensor]) -> None:
        self.index, self.similarity = state["index"], state["similarity"]
