"""Models that score a row at a time: a user, a moment and an item go in, the probability of a click or of its conversion, or a rating comes out."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from typing import Annotated, ClassVar, Literal, Self

import torch
from pydantic import Field
from torch import Tensor, nn

from ..batches import QueryBatch, RowBatch
from ..component import Options
from ..data.dataset import Dataset
from ..encoders import Encoder, ItemContent
from ..errors import ConfigError
from ..features import FeatureSet
from ..losses import Objective, click_loss, weighted_mean
from ..search_space import Searched
from .base import Abilities, Learned, Model
from .delay_scale import DelayScale
from .fields import Asked, Fields, Offered, Row
from .rating_scale import RatingScale

__all__ = ["RowWise", "RowWiseOptions", "one_head"]

CELLS = 1 << 22
"""Numbers that one step of scoring a catalogue holds."""


class RowWiseOptions(Options):
    width: Annotated[int, Searched(choices=(8, 16, 32, 64))] = Field(default=32, ge=1)
    """Numbers in the vector of each user, item, category and number."""
    l2: Annotated[float, Searched(choices=(0.0, 0.01, 0.03, 0.1, 0.3))] = Field(default=0.0, ge=0)
    """Weight of the squared length of the vectors that a batch reads, a mean over its rows: as in matrix factorisation."""
    table_l2: Annotated[float, Searched(choices=(0.0, 0.01, 0.03, 0.1))] = Field(default=0.0, ge=0)
    """Weight of the squared length of all vectors, read or not, which weighs most on the rare: as in click prediction, where it decides."""


class RowWise(Learned):
    """One number for each row, from vectors of its fields. Subclasses say how they meet, in ``interact``.

    Learns one head: ``click`` (labels, or events against drawn negatives), ``rating`` or ``conversion``; ranks by it. Reads no history, but for
    ``DCNv2`` with a memory, so what happens after training changes nothing, and users or items that training does not know are judged by what else
    is known of them.
    How fast a click converts is a weight of each field, added up, whatever the model: the exponential of it is the rate (Chapelle, 2014).
    Cost of scoring a catalogue: queries × items × that of a row; prefer ``ContextTransformer`` or ``FactorisationMachine`` to retrieve.
    """

    options: RowWiseOptions
    learns_from: ClassVar[Literal["timelines", "rows"]] = "rows"
    abilities = Abilities(gives=frozenset({"click", "rating", "conversion"}), reads=frozenset({"context", "side", "time"}))
    std: ClassVar[float] = 0.01
    """Of vectors at the start."""
    blind = False
    """Made without context."""

    def check(self, dataset: Dataset, text: Encoder) -> None:
        one_head(self)

    def prepare(self, dataset: Dataset, content: ItemContent, features: FeatureSet) -> None:
        self.n_items = content.n_items
        reads = self.abilities.reads
        moment = self.moment_width() if "context" in reads and not self.blind and any(features.shape) else 0
        given = (dataset, content, features)
        self.fields = Fields(*given, self.vector_width(), moment=moment, facts="side" in reads, std=self.std)
        single = partial(Fields, *given, 1, moment=min(moment, 1), facts="side" in reads, std=0.0)
        self.weights = single() if self.first_order else None
        converts = "conversion" in self.objective.heads
        self.rates = single() if converts else None
        self.delays = DelayScale() if converts else None
        self.bias = nn.Parameter(torch.zeros(()))
        self.scale = RatingScale()
        self.build()

    @property
    def wants_past_moments(self) -> bool:
        return False

    first_order: ClassVar[bool] = False
    """Whether each field also has a weight of its own, added up beside ``interact``."""

    def vector_width(self) -> int:
        return self.options.width

    def moment_width(self) -> int:
        return self.options.width

    def build(self) -> None:
        """Make the layers. ``self.fields.count`` fields of ``vector_width`` numbers will come."""

    @abstractmethod
    def interact(self, row: Row) -> Tensor:
        """[...] one number for each row."""

    def warm(self, dataset: Dataset, content: ItemContent) -> None:
        if "rating" in self.objective.heads:
            self.scale.fit(dataset, self.objective.rating_loss)
            with torch.no_grad():
                self.bias.copy_(self.scale.start)
        if self.delays is not None:
            self.delays.fit(dataset)
            with torch.no_grad():
                self.bias.copy_(self.delays.start)

    def without_context(self) -> Self | None:
        if "context" not in self.abilities.reads:
            return None
        other = type(self)(**self.settings())
        other.blind = True
        return other

    def loss(self, batch: RowBatch, objective: Objective) -> dict[str, Tensor]:
        asked, offered = self.fields.asked(batch.queries), self.fields.offered(batch.items)
        raw = self.interact(Row(asked, offered)) + self.bias
        if self.weights is not None:
            raw = raw + _added(self.weights.asked(batch.queries)) + _added(self.weights.offered(batch.items))
        head = objective.first()
        if head == "click":
            out = click_loss(raw, batch.labels, batch.weights)
        elif self.rates is not None and self.delays is not None:
            pace = _added(self.rates.asked(batch.queries)) + _added(self.rates.offered(batch.items))
            out = self.delays.loss(raw, pace, batch.converted, batch.waited, batch.weights)
        else:
            out = self.scale.loss(objective.rating_loss, raw, batch.values, batch.weights)
        if self.options.l2:
            sizes = [part.square().sum((-2, -1)) for half in (asked, offered) for part in half.vectors()]  # [rows] each
            out = out + self.options.l2 / 2 * weighted_mean(torch.stack(sizes).sum(0), batch.weights)
        if self.options.table_l2:
            out = out + self.options.table_l2 / 2 * sum(table.square().sum() for table in self.fields.parameters())
        return {head: out}

    def score(self, queries: QueryBatch, items: Tensor | None = None) -> Tensor:
        asked = self.fields.asked(queries).beside()
        codes = torch.arange(self.n_items, device=self.bias.device) if items is None else items
        offered = self.fields.offered(codes)  # [n, …] or [B, n, …]
        raw = self.pairs(asked, offered) + self.bias
        if self.weights is not None:
            raw = raw + _added(self.weights.asked(queries))[:, None] + _added(self.weights.offered(codes))
        return raw

    def pairs(self, asked: Asked, offered: Offered) -> Tensor:
        """[B, n] of queries [B, 1, …] and items [n, …] or [B, n, …], some at a time."""
        if offered.item.ndim == 3:
            return self.interact(Row(asked, offered))
        step = max(1, CELLS // (len(asked.user) * (self.fields.count * self.fields.width + self.length)))
        parts = [self.interact(Row(asked, offered[begin : begin + step])) for begin in range(0, len(offered.item), step)]
        return torch.cat(parts, dim=1) if parts else asked.user.new_zeros(len(asked.user), 0)

    def clicks(self, queries: QueryBatch, items: Tensor) -> Tensor:
        return self.score(queries, items)

    def ratings(self, queries: QueryBatch, items: Tensor) -> Tensor:
        return self.scale.rating(self.objective.rating_loss, self.score(queries, items))

    def conversions(self, queries: QueryBatch, items: Tensor) -> Tensor:
        return self.score(queries, items)

    def reasons(self, queries: QueryBatch, items: Tensor) -> dict[str, Tensor]:
        """``moment`` is what changes when it is taken away, ``history`` what then changes when that is; ``taste`` all the rest."""
        told, parts = self.score(queries, items), {}
        if self.fields.moment is not None:
            queries = queries.without_moment()
            silent = self.score(queries, items)
            parts["moment"], told = told - silent, silent
        if "history" in self.abilities.reads:
            blank = self.score(queries.without_history(), items)
            parts["history"], told = told - blank, blank
        return {"taste": told, **parts}

    def add_items(self, content: ItemContent) -> None:
        for fields in (self.fields, self.weights, self.rates):
            if fields is not None:
                fields.grow(content)
        self.n_items = content.n_items

    def load_state(self, state: dict[str, Tensor]) -> None:
        self.fields.fit_to(state, "fields.")
        if self.weights is not None:
            self.weights.fit_to(state, "weights.")
        if self.rates is not None:
            self.rates.fit_to(state, "rates.")
        self.scale.fit_to(state, "scale.")
        super().load_state(state)


def one_head(model: Model) -> None:
    """An error where ``model`` is asked to learn more than one head."""
    if len(model.objective.heads) > 1:
        asked = " and ".join(model.objective.heads)
        raise ConfigError(f"{type(model).__name__} learns one head, and [training] asks for {asked}; ContextTransformer learns several.")


def _added(half: Asked | Offered) -> Tensor:
    """[...] the sum of weights [..., 1] and [..., columns, 1]."""
    total = sum(part.sum((-2, -1)) for part in half.vectors())
    assert isinstance(total, Tensor)
    return total
