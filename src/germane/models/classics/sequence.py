"""What models have in common that read the order of events and the identity of items, and nothing else."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from ...batches import Batch, QueryBatch
from ...component import Options
from ...data.dataset import Dataset
from ...encoders import ItemContent
from ...features import FeatureSet
from ...histories import KEPT
from ...losses import Objective, next_item
from ...search_space import Searched
from ..base import Abilities, TwoSided
from ..layers import START

__all__ = ["SequenceModel", "SequenceOptions"]


class SequenceOptions(Options):
    width: Annotated[int, Searched(choices=(32, 64, 96, 128))] = Field(default=64, ge=1)
    """Width of the item vectors and of what the model remembers of a history."""
    length: Annotated[int, Searched(choices=(20, 50, 100, 200))] = Field(default=100, ge=1, le=KEPT)
    """How many of the newest events are read; a run remembers no more than 200 of a user."""
    dropout: Annotated[float, Searched(0.0, 0.6)] = Field(default=0.2, ge=0, lt=1)
    """Share of the numbers left out of each training step, against overfitting."""


class SequenceModel(TwoSided):
    """The state of a history times the vector of an item; the same vectors are read in the history (tied).

    A trainable vector for each item that training knows; all others have zero vectors, so they score 0 for everyone, and their events are left
    out of histories, where they would say nothing. All places of a timeline are targets at once.
    """

    options: SequenceOptions
    checkpointed = False
    abilities = Abilities(reads=frozenset({"history"}))
    known: Tensor
    start: nn.Parameter
    """What is learnt of those who did nothing yet."""

    def prepare(self, dataset: Dataset, content: ItemContent, features: FeatureSet) -> None:
        self.n_items = content.n_items
        self.register_buffer("known", content.known.clone())
        self.items = nn.Embedding(content.n_items, self.options.width)
        # Short at the start: a state begins near the vector of what was taken last, and would put that very item first.
        nn.init.normal_(self.items.weight, std=START)
        with torch.no_grad():
            self.items.weight[~self.known] = 0

    @abstractmethod
    def states(self, events: Tensor, empty: Tensor) -> Tensor:
        """[B, T, width] what the events up to each place say, from their items' vectors [B, T, width].

        ``empty`` [B, T] places hold no event. On the left their state is that of those who did nothing yet; further on, where training hides
        an event, that of the events before it.
        """

    def query_vectors(self, queries: QueryBatch) -> Tensor:
        history = queries.history
        told = (history >= 0) & self.known[history.clamp(min=0)]
        order = told.int().argsort(dim=1, stable=True)  # what tells nothing goes to the left, the rest stays in order
        return self._read(history.where(told, -1).gather(1, order)[:, -self.options.length :])[:, -1]

    def item_vectors(self, items: Tensor) -> Tensor:
        vectors: Tensor = self.items(items)
        return vectors

    @property
    def known_items(self) -> Tensor:
        return self.known

    def _read(self, history: Tensor) -> Tensor:
        """[B, T] codes -> [B, T, width]"""
        return self.states(self.item_vectors(history.clamp(min=0)), history < 0)

    def checkpointing(self, on: bool = True) -> None:
        """Whether training works scores out again on the way back, as ``Blocks`` do attention, instead of keeping them."""
        self.checkpointed = on

    def reasons(self, queries: QueryBatch, items: Tensor) -> dict[str, Tensor]:
        return {"history": self.score(queries, items)}

    def likeness(self) -> Tensor:
        return self.items.weight

    def loss(self, batch: Batch, objective: Objective) -> dict[str, Tensor]:
        history, targets = batch.queries.history, batch.targets
        row, place = (targets >= 0).nonzero(as_tuple=True)
        if not len(row):
            return {"ranking": torch.zeros((), device=targets.device, requires_grad=True)}
        at = row, place
        states = self._read(history)[at]  # [P, width]

        def against(items: Tensor) -> Callable[[slice], Tensor]:
            vectors = self.item_vectors(items).T
            return lambda part: states[part] @ vectors

        def own(target: Tensor) -> Tensor:
            return (states * self.item_vectors(target)).sum(1)

        return {"ranking": next_item(objective, self.known, history, at, targets[at], batch.weights[at], against, own, self.checkpointed)}

    def add_items(self, content: ItemContent) -> None:
        self.known = content.known.to(self.known.device)
        table = self.items.weight.detach()
        more = table.new_zeros(content.n_items - self.n_items, table.shape[1])
        self.items = nn.Embedding.from_pretrained(torch.cat([table, more]), freeze=False)
        self.n_items = content.n_items
