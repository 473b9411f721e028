"""EASE: weights between items in closed form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from ...batches import QueryBatch
from ...component import Options
from ...data.dataset import Dataset
from ...encoders import ItemContent
from ...errors import AbilityError, TrainingError
from ...features import FeatureSet
from ...search_space import Searched
from ..base import Abilities
from .from_history import FromHistory, faded, newest_only
from .taken import taken
from .together import together

if TYPE_CHECKING:
    from ...encoders import Encoder

__all__ = ["EASE", "EASEOptions"]


class EASEOptions(Options):
    l2: Annotated[float, Searched(1.0, 5000.0, log=True)] = Field(default=200.0, ge=0.01)
    """Ridge: the larger, the more only well-supported pairs of items count. Worth tuning, in steps of a factor of 2."""
    fade: Annotated[float, Searched(0.5, 1.0)] = Field(default=1.0, gt=0, le=1)
    """Weight of an event of the query against the one after it; 1, as published: the order does not count."""
    weighted: bool = False
    """An item counts as often as it was taken, with the weights of the events, instead of once."""
    most_items: int = Field(default=20_000, ge=1)
    """Refuse larger catalogues (items with events): fitting needs some 20 bytes × items², the saved run 4."""


class EASE(FromHistory):
    """A linear model that foretells each item from all others a user took; the best weights in closed form (Steck, 2019).

    Often the strongest of the simple models, with one option that matters; sees what goes *against* an item too, which ``ItemNeighbours`` cannot.
    Prefer ``ItemNeighbours`` or ``ALS`` on large catalogues. Scores any user by the history of the query; cannot score new items.
    Cost: fitting items³ in double precision (1,700 items: 1 s, 20,000: ten minutes); a query its events × items.

    Source: Steck, Embarrassingly Shallow Autoencoders for Sparse Data, 2019.
    """

    options: EASEOptions
    abilities = Abilities(reads=frozenset({"history"}))

    def check(self, dataset: Dataset, text: Encoder) -> None:
        found, most = len(np.unique(dataset.item_codes)), self.options.most_items
        if found > most:
            raise AbilityError(
                f"EASE compares all items with all: {found:,} items with events need some {20 * found**2 / 1e9:,.1f} GB, and most_items = {most:,} "
                f"is the limit. Take ItemNeighbours or ALS, drop rare items ([data.rules] min_item_events), or raise most_items where memory allows."
            )

    def prepare(self, dataset: Dataset, content: ItemContent, features: FeatureSet) -> None:
        self.n_items = content.n_items
        self._take(torch.zeros(0, dtype=torch.int64), torch.zeros(0, 0))

    def fit(self, dataset: Dataset) -> None:
        users, items, counts = taken(dataset)
        known, rows = np.unique(items, return_inverse=True)  # an item that nobody took has no weights: it needs no row
        _, columns = np.unique(users, return_inverse=True)
        values = torch.from_numpy(counts) if self.options.weighted else torch.ones(len(counts), dtype=torch.float64)
        gram = torch.empty(len(known), len(known), dtype=torch.float64)
        for block, products in together(torch.from_numpy(rows), torch.from_numpy(columns), values, len(known)):
            gram[block] = products
        if self.options.l2 < torch.finfo(torch.float64).eps * len(gram) * float(gram.diagonal().max()):
            raise TrainingError(f"EASE: l2 = {self.options.l2:g} is lost beside the weights of the events: raise it, or set weighted = false.")
        gram.diagonal().add_(self.options.l2)
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(gram, out=gram), out=gram)
        weights = inverse.div_(-inverse.diagonal().clone()).float()
        self._take(torch.from_numpy(known), weights.fill_diagonal_(0))

    def _take(self, items: Tensor, weights: Tensor) -> None:
        self.items, self.weights = items, weights  # [known] codes; [known, known] from the item taken to the item scored
        self.rows = torch.full((self.n_items,), -1)
        self.rows[items] = torch.arange(len(items))

    def catalogue(self, queries: QueryBatch) -> Tensor:
        codes, weights = faded(queries.history, self.options.fade, self.n_items)
        if not self.options.weighted:
            weights = newest_only(codes, weights)
        rows = self.rows[codes]
        scores = torch.zeros(len(queries), self.n_items)
        scores[:, self.items] = functional.embedding_bag(rows.clamp(min=0), self.weights, mode="sum", per_sample_weights=weights * (rows >= 0))
        return scores

    def add_items(self, content: ItemContent) -> None:
        self.n_items = content.n_items
        self._take(self.items, self.weights)

    def state(self) -> dict[str, Tensor]:
        return {"items": self.items.contiguous(), "weights": self.weights.contiguous()}

    def load_state(self, state: dict[str, Tensor]) -> None:
        self._take(state["items"], state["weights"])
