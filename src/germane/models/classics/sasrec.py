"""``SASRec``: self-attention over the items of the history."""

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
from ..layers import START, Block, Blocks, check_heads, hidden_places
from .sequence import SequenceModel, SequenceOptions

__all__ = ["SASRec", "SASRecOptions"]


class SASRecOptions(SequenceOptions):
    blocks: Annotated[int, Searched(choices=(1, 2, 3))] = Field(default=2, ge=1)
    """Attention blocks over the history."""
    heads: int = Field(default=1, ge=1)
    """Attention heads; must divide ``width``."""
    gated: bool = False
    """Each place of a block says how much it takes from attention and feed-forward (LiGR). Worth trying where histories are long and data is dense;
    on sparse data it was worse (docs/models.md)."""


class SASRec(SequenceModel):
    """Self-attention over the identity and order of what was taken (Kang and McAuley, 2018): the rival that a sequence model has to beat.

    Prefer it where many users have histories and items have neither texts nor contexts; ``GRU`` learns in fewer epochs on small data,
    ``ItemNeighbours`` fits in seconds, ``ContextTransformer`` reads all that there is. Train it with ``loss = "softmax"``, beyond some 20,000 items
    ``"sampled_softmax"``: with one drawn negative and BCE, as published, it is no honest rival (Petrov and Macdonald, 2023; Klenitskiy and
    Vasilev, 2023). Cost of a query: O(T² width) for a history of T events, and one product with [items, width].

    As published: learned positions, causal pre-norm blocks with a ReLU feed-forward of width ``width``, dropout, tied item vectors, no item bias.
    Not so: positions count from the oldest event read, not from the padding, so that training meets each history as a query will; all of a block's
    input is normed, not its queries only; item vectors start short.
    """

    options: SASRecOptions

    def prepare(self, dataset: Dataset, content: ItemContent, features: FeatureSet) -> None:
        o = self.options
        check_heads("SASRec", o.width, o.heads)
        super().prepare(dataset, content, features)
        self.start = nn.Parameter(torch.zeros(o.width))
        self.positions = nn.Embedding(o.length, o.width)
        nn.init.normal_(self.positions.weight, std=START)
        blocks = (Block(o.width, o.heads, o.dropout, inner=o.width, activation=nn.ReLU, gated=o.gated) for _ in range(o.blocks))
        self.blocks = Blocks(blocks)
        self.norm = nn.LayerNorm(o.width)
        self.drop = Dropout(o.dropout)

    def states(self, events: Tensor, empty: Tensor) -> Tensor:
        place = (~empty).long().cumsum(1) - 1  # [B, T], the oldest event stands at 0
        x = events * self.options.width**0.5 + self.positions(place.clamp(min=0))
        x = self.drop(torch.where(empty[..., None], self.start, x))
        hidden = hidden_places(empty)[:, None]  # [B, 1, T, T]
        bias = torch.zeros(hidden.shape, device=x.device, dtype=x.dtype).masked_fill(hidden, -1e9)
        out: Tensor = self.norm(self.blocks(x, bias))
        return out
