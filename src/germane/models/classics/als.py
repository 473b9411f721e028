"""ALS: factors of users and items by weighted least squares."""

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
from .factors import Factorised, one_thread_of_blas, seed, user_items
from .from_history import faded, newest_only

__all__ = ["ALS", "ALSOptions"]


class ALSOptions(Options):
    factors: Annotated[int, Searched(choices=(16, 32, 64, 128, 256))] = Field(default=64, ge=1, le=1024)
    """Length of the vectors of users and items."""
    l2: Annotated[float, Searched(0.01, 100.0, log=True)] = Field(default=1.0, gt=0)
    """How strongly vectors are pulled to zero."""
    alpha: Annotated[float, Searched(0.1, 40.0, log=True)] = Field(default=1.0, gt=0)
    """What was taken is believed 1 + alpha × its weight times as much as what was not."""
    iterations: int = Field(default=15, ge=1)
    """Rounds over users and items."""
    fade: Annotated[float, Searched(0.5, 1.0)] = Field(default=1.0, gt=0, le=1)
    """Weight of an event of the query against the one after it; 1, as published: the order does not count."""


class ALS(Factorised):
    """Matrix factorisation for what was taken and what was not, by alternating least squares (Hu, Koren and Volinsky, 2008).

    Scales to large catalogues, where ``EASE`` does not; smoother than ``ItemNeighbours`` on sparse data. The user's vector is always worked out
    anew from the history of the query, in closed form, so unknown users are scored like known ones and what happened since training counts
    at once; there each event weighs 1, whatever its kind. Cannot score new items.
    Memory: items × factors. Cost: a query events × factors² + factors³ + items × factors; fitting is that for each user and item, a round.
    Learnt by the library implicit (``pip install 'germane[classics]'``); a saved run needs it no more.
    """

    options: ALSOptions
    abilities = Abilities(reads=frozenset({"history"}))

    def prepare(self, dataset: Dataset, content: ItemContent, features: FeatureSet) -> None:
        self.n_items = content.n_items
        self._take(torch.zeros(self.n_items, self.options.factors))

    def fit(self, dataset: Dataset) -> None:
        from implicit.cpu.als import AlternatingLeastSquares

        o = self.options
        confidence = user_items(dataset)
        confidence.data = 1 + o.alpha * confidence.data
        with one_thread_of_blas():
            learner = AlternatingLeastSquares(o.factors, o.l2, iterations=o.iterations, num_threads=torch.get_num_threads(), random_state=seed())
            learner.fit(confidence, show_progress=False)
        self._take(torch.from_numpy(learner.item_factors))

    def _take(self, factors: Tensor) -> None:
        self.factors = factors
        everything = factors.double()
        self.plain = everything.T @ everything + self.options.l2 * torch.eye(factors.shape[1], dtype=torch.float64)

    def catalogue(self, queries: QueryBatch) -> Tensor:
        return self.user_vectors(queries.history) @ self.factors.T

    def user_vectors(self, history: Tensor) -> Tensor:
        """[B, factors] that foretell best what was taken, all else being 0: solves (Yᵀ C Y + l2) x = Yᵀ C p, with p faded where events are."""
        codes, weights = faded(history, self.options.fade, self.n_items)
        preferred = newest_only(codes, weights).double()  # [B, T] each item once
        extra = self.options.alpha * weights.double()  # [B, T] belief beyond that in what was not taken; an item that comes again adds up
        y = self.factors[codes].double()  # [B, T, factors]
        left = self.plain + (y * extra[..., None]).mT @ y  # [B, factors, factors]
        right = (y * (extra + preferred)[..., None]).sum(1)
        return torch.cholesky_solve(right[..., None], torch.linalg.cholesky(left))[..., 0].float()

    def state(self) -> dict[str, Tensor]:
        return {"factors": self.factors.contiguous()}

    def load_state(self, state: dict[str, Tensor]) -> None:
        self._take(state["factors"])
