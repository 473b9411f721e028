"""What is asked of the second look: chances, ratings, and lists of models that do not rank otherwise."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ...batches import QueryBatch
from ..base import Learned
from ..delay_scale import DelayScale
from ..layers import product
from ..memory import REMEMBERED, memory
from ..rating_scale import RatingScale
from .encoded import Encoded
from .items import ItemTower
from .options import ContextTransformerOptions
from .prior import Prior
from .second_look import SecondLook

__all__ = ["LooksAgain"]

CELLS = 1 << 22
"""Numbers that one step of a second look at a catalogue holds."""


class LooksAgain(Learned):
    """Takes a second look at query and item together, where more is asked than an order."""

    options: ContextTransformerOptions
    items: ItemTower
    prior: Prior
    look: SecondLook | None
    rating: RatingScale
    delays: DelayScale | None
    scale: nn.Parameter
    n_items: int

    @abstractmethod
    def _encode(self, queries: QueryBatch) -> Encoded:
        """Queries, read."""

    @abstractmethod
    def _similarity(self, asked: Encoded) -> Tensor:
        """[P, z + traits] what is multiplied with what is fixed of the items."""

    @abstractmethod
    def _named(self, asked: Encoded, items: Tensor | None) -> Tensor:
        """[P, items] or as ``items``: how far the very words that were typed are theirs."""

    def clicks(self, queries: QueryBatch, items: Tensor) -> Tensor:
        return self._looked(self._encode(queries), items)["click"]

    def ratings(self, queries: QueryBatch, items: Tensor) -> Tensor:
        return self.rating.rating(self.objective.rating_loss, self._looked(self._encode(queries), items)["rating"])

    def conversions(self, queries: QueryBatch, items: Tensor) -> Tensor:
        return self._looked(self._encode(queries), items)["conversion"]

    def _looked(self, asked: Encoded, items: Tensor) -> Mapping[str, Tensor]:
        """Numbers [P, n] of each head for items [P, n]; of conversions also ``delay``, the log of their rate."""
        assert self.look is not None
        vectors = self.items(items)
        near = product(asked.query * self.scale.exp(), vectors)
        alike = product(self._similarity(asked), self.items.fixed_of(items)) + self._named(asked, items)
        facts = torch.stack([near, alike, self.prior.of(asked.times, self.items.known, items)], dim=-1)
        remembered = memory(asked.items[:, None], asked.ages[:, None], items) if self.options.memory else facts.new_zeros(*items.shape, REMEMBERED)
        told: dict[str, Tensor] = self.look(asked.query[:, None], vectors, asked.moment[:, None], torch.cat([facts, remembered], dim=-1), items)
        start = {"rating": self.rating.start, **({} if self.delays is None else {"conversion": self.delays.start})}
        return {head: raw + start[head] if head in start else raw for head, raw in told.items()}

    def _looked_over(self, asked: Encoded, items: Tensor | None) -> Tensor:
        """[P, n] of the first head; the catalogue some items at a time."""
        head = self.objective.first()
        if items is not None and items.ndim == 2:
            return self._looked(asked, items)[head]
        codes = torch.arange(self.n_items, device=asked.query.device) if items is None else items
        step = max(1, CELLS // (len(asked.query) * (8 * self.options.width + asked.items.shape[1])))
        parts = [self._looked(asked, codes[b : b + step].expand(len(asked.query), -1))[head] for b in range(0, len(codes), step)]
        return torch.cat(parts, dim=1)
