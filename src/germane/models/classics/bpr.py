"""BPR: factors of users and items that put what was taken above what was not."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from ...batches import QueryBatch
from ...component import Options
from ...data.dataset import Dataset
from ...encoders import ItemContent
from ...features import FeatureSet
from ...search_space import Searched
from ..base import Abilities
from .factors import Factorised, one_thread_of_blas, seed, user_items
from .from_history import faded

__all__ = ["BPR", "BPROptions"]


class BPROptions(Options):
    factors: Annotated[int, Searched(choices=(16, 32, 64, 128, 256))] = Field(default=64, ge=1, le=1024)
    """Length of the vectors of users and items."""
    l2: Annotated[float, Searched(1e-4, 0.1, log=True)] = Field(default=0.01, ge=0)
    """How strongly vectors are pulled to zero at each step."""
    learning_rate: Annotated[float, Searched(3e-3, 0.2, log=True)] = Field(default=0.01, gt=0, le=1)
    """Length of a step."""
    iterations: Annotated[int, Searched(choices=(30, 100, 300))] = Field(default=100, ge=1)
    """Rounds: each draws as many pairs of an item taken and one not taken as there are pairs of user and item."""


class BPR(Factorised):
    """Matrix factorisation that learns to put an item taken above one not taken (Rendle et al., 2009).

    The classic of ranking by pairs, here as a baseline: prefer ``ALS`` or ``EASE``, which are quicker and follow the history of the query.
    A user known to training is scored by the vector learnt then, whatever happened since; anyone else by the mean of the vectors of
    the items of their history, which is only a stand-in. Popularity is part of the score. Weights of events only say whether an item was taken.
    Memory: (users + items) × factors; a run holds a vector a user, without ids. Cost: a query items × factors; fitting runs on one thread, so that
    a seed gives one result. Learnt by the library implicit (``pip install 'germane[classics]'``); a saved run needs it no more.
    """

    options: BPROptions
    abilities = Abilities(reads=frozenset({"history"}))

    def prepare(self, dataset: Dataset, content: ItemContent, features: FeatureSet) -> None:
        self.n_items = content.n_items
        self.factors = torch.zeros(self.n_items, self.options.factors)
        self.bias = torch.zeros(self.n_items)
        self.users = torch.zeros(dataset.n_users, self.options.factors)

    def fit(self, dataset: Dataset) -> None:
        from implicit.cpu.bpr import BayesianPersonalizedRanking

        o = self.options
        with one_thread_of_blas():
            learner = BayesianPersonalizedRanking(
                o.factors, learning_rate=o.learning_rate, regularization=o.l2, iterations=o.iterations, num_threads=1, random_state=seed()
            )
            learner.fit(user_items(dataset), show_progress=False)
        items, users = torch.from_numpy(learner.item_factors), torch.from_numpy(learner.user_factors)
        self.factors, self.bias = items[:, :-1].contiguous(), items[:, -1].contiguous()  # the last of each user is 1
        self.users = users[:, :-1].contiguous()

    def catalogue(self, queries: QueryBatch) -> Tensor:
        return self.user_vectors(queries) @ self.factors.T + self.bias

    def user_vectors(self, queries: QueryBatch) -> Tensor:
        """[B, factors]"""
        codes, weights = faded(queries.history, 1.0, self.n_items)
        weights = weights * self.factors.any(1)[codes]  # items without training events have zeros
        mean = (self.factors[codes] * weights[..., None]).sum(1) / weights.sum(1, keepdim=True).clamp(min=1)
        if not len(self.users):
            return mean
        own = self.users[queries.users.clamp(0, len(self.users) - 1)]
        known = (queries.users >= 0) & (queries.users < len(self.users)) & own.any(1)
        return torch.where(known[:, None], own, mean)

    def reasons(self, queries: QueryBatch, items: Tensor) -> dict[str, Tensor]:
        popularity = self.bias[items]
        return {"history": self.score(queries, items) - popularity, "popularity": popularity}

    def add_items(self, content: ItemContent) -> None:
        self.bias = functional.pad(self.bias, (0, content.n_items - self.n_items))
        super().add_items(content)

    def state(self) -> dict[str, Tensor]:
        return {"factors": self.factors.contiguous(), "bias": self.bias.contiguous(), "users": self.users.contiguous()}

    def load_state(self, state: dict[str, Tensor]) -> None:
        self.factors, self.bias, self.users = state["factors"], state["bias"], state["users"]
