"""User neighbours: what those who took much the same took as well."""

from __future__ import annotations

from typing import Annotated

import numpy as np
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
from .from_history import FromHistory, faded, newest_only
from .stretches import stretches
from .taken import taken

__all__ = ["UserNeighbours", "UserNeighboursOptions"]

TOGETHER = 16
"""Queries at a time: each needs a number for every user."""


class UserNeighboursOptions(Options):
    neighbours: Annotated[int, Searched(10, 300, log=True)] = Field(default=50, ge=1)
    """How many users are asked about an item: the most like-minded of those who took it."""
    among: int = Field(default=200, ge=1)
    """The most like-minded users of all, among whom they are sought: more cost time and change little."""
    shrink: Annotated[float, Searched(choices=(0.0, 3.0, 10.0, 30.0, 100.0))] = Field(default=10.0, ge=0)
    """Added to the denominator of the cosine: users with little in common count less."""
    fade: Annotated[float, Searched(0.5, 1.0)] = Field(default=1.0, gt=0, le=1)
    """Weight of an event of the query against the one after it; 1, as published: the order does not count."""


class UserNeighbours(FromHistory):
    """Sum of shrunk cosines to the most like-minded of the users who took the item (Resnick et al., 1994; Herlocker et al., 1999).

    Compares the query's history with what each user took in training; a user is no neighbour of their own. Prefer it to ``ItemNeighbours``
    where users are fewer than items or took much; a query is slower than there. Scores unknown users too, but no new items.
    Memory: 16 bytes a pair of user and item; a run holds the pairs, without ids. Cost of a query: the takers of each item of its history, and
    sorting what the like-minded took.
    """

    options: UserNeighboursOptions
    abilities = Abilities(reads=frozenset({"history"}))

    def prepare(self, dataset: Dataset, content: ItemContent, features: FeatureSet) -> None:
        self.n_items = content.n_items
        self._take(torch.zeros(dataset.n_users + 1, dtype=torch.int64), torch.zeros(0, dtype=torch.int64))

    def fit(self, dataset: Dataset) -> None:
        users, items, _ = taken(dataset)
        sizes = np.bincount(users, minlength=dataset.n_users)
        self._take(torch.from_numpy(np.concatenate([[0], np.cumsum(sizes)])), torch.from_numpy(items))

    def _take(self, offsets: Tensor, items: Tensor) -> None:
        """By user, and turned round by item."""
        self.offsets, self.items = offsets, items  # [users + 1], [pairs]
        self.sizes = offsets.diff()  # [users]
        self.takers = torch.repeat_interleave(self.sizes)[items.argsort(stable=True)]  # [pairs]
        self.item_offsets = torch.cat([torch.zeros(1, dtype=torch.int64), torch.bincount(items, minlength=self.n_items).cumsum(0)])

    def catalogue(self, queries: QueryBatch) -> Tensor:
        return torch.cat([self._some(queries[begin : begin + TOGETHER]) for begin in range(0, len(queries), TOGETHER)])

    def _some(self, queries: QueryBatch) -> Tensor:
        n_users = len(self.sizes)
        codes, weights = faded(queries.history, self.options.fade, self.n_items)
        weights = newest_only(codes, weights).double()
        query, place = weights.nonzero(as_tuple=True)
        event, pair = stretches(self.item_offsets, codes[query, place])
        key = query[event] * n_users + self.takers[pair]
        shared = torch.bincount(key, weights[query, place][event], minlength=len(queries) * n_users).reshape(-1, n_users)  # [B, users]
        norms = weights.norm(dim=1, keepdim=True) * self.sizes.sqrt()
        alike = shared / (norms + self.options.shrink).clamp(min=1e-9)
        own = (queries.users >= 0) & (queries.users < n_users)
        alike[own, queries.users[own]] = 0
        top = alike.topk(min(self.options.among, n_users), dim=1)  # sorted
        query, place = top.values.nonzero(as_tuple=True)
        near, pair = stretches(self.offsets, top.indices[query, place])
        key, order = (query[near] * self.n_items + self.items[pair]).sort(stable=True)  # of a query and an item the most alike come first
        first = torch.searchsorted(key, key)
        asked = torch.arange(len(key)) - first < self.options.neighbours
        values = top.values[query, place][near[order[asked]]]
        votes = torch.bincount(key[asked], values, minlength=len(queries) * self.n_items)
        return votes.reshape(-1, self.n_items).float()

    def add_items(self, content: ItemContent) -> None:
        self.n_items = content.n_items
        self._take(self.offsets, self.items)

    def state(self) -> dict[str, Tensor]:
        return {"offsets": self.offsets.contiguous(), "items": self.items.contiguous()}

    def load_state(self, state: dict[str, Tensor]) -> None:
        self._take(state["offsets"], state["items"])
