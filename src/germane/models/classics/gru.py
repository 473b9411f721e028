"""``GRU``: a recurrent net over the items of the history."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from ...data.dataset import Dataset
from ...encoders import ItemContent
from ...features import FeatureSet
from ...search_space import Searched
from ..dropout import Dropout
from .sequence import SequenceModel, SequenceOptions

__all__ = ["GRU", "GRUOptions"]


class GRUOptions(SequenceOptions):
    layers: Annotated[int, Searched(choices=(1, 2))] = Field(default=1, ge=1)
    """Recurrent layers, one upon the other."""


class GRU(SequenceModel):
    """A recurrent net over the identity and order of what was taken, after GRU4Rec (Hidasi et al., 2016).

    Prefer it to ``SASRec`` on small data: it learns in fewer epochs. For texts, contexts or new items take ``ContextTransformer``. Cost of a query:
    O(T width²) for a history of T events, one event after the other, so that many cores help little, and one product with [items, width].

    Not as published: all events of a user are one sequence, every place of it is a target, and the loss is that of ``[training]`` (published:
    sessions side by side, pairwise losses); items are read through the vectors that also score them (tied), without item bias; the last state is
    normed: without it training was slower and ended lower (figures in LOG.md).
    """

    options: GRUOptions

    def prepare(self, dataset: Dataset, content: ItemContent, features: FeatureSet) -> None:
        super().prepare(dataset, content, features)
        o = self.options
        self.start = nn.Parameter(torch.zeros(o.layers, o.width))
        self.gru = nn.GRU(o.width, o.width, o.layers, batch_first=True, dropout=o.dropout if o.layers > 1 else 0.0)
        self.norm = nn.LayerNorm(o.width)
        self.drop = Dropout(o.dropout)

    def states(self, events: Tensor, empty: Tensor) -> Tensor:
        b, t, _ = events.shape
        # Padding must not pass through the net: histories are moved to the left for it, what stands behind them is thrown away.
        padding = empty.int().cumprod(1)
        pads, place = padding.sum(1, keepdim=True), torch.arange(t, device=events.device)
        x = _along(self.drop(events * self.options.width**0.5).masked_fill(empty[..., None], 0), (place + pads) % t)
        out, _ = self.gru(x, self.start[:, None].expand(-1, b, -1).contiguous())
        out = torch.where(padding[..., None] > 0, self.start[-1], _along(out, (place - pads) % t))
        last: Tensor = self.norm(self.drop(out))
        return last


def _along(x: Tensor, places: Tensor) -> Tensor:
    """[B, T, width] in another order of places, [B, T]"""
    return x.gather(1, places[..., None].expand_as(x))
