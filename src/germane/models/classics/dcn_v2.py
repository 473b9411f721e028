"""The deep and cross network."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from ...search_space import Searched
from ..fields import Row
from ..perceptron import Perceptron
from ..rowwise import RowWise, RowWiseOptions

__all__ = ["DCNv2", "DCNv2Options"]


class DCNv2Options(RowWiseOptions):
    crosses: int = Field(default=3, ge=1)
    """Cross layers; each raises the order of products by one."""
    layers: tuple[int, ...] = (400, 400)
    """Numbers in each dense layer beside the crosses."""
    norm: bool = True
    """Standardise each dense layer's numbers over the rows of a batch."""
    dropout: Annotated[float, Searched(0.0, 0.6)] = Field(default=0.0, ge=0, lt=1)
    """Share of the dense layers' numbers left out of a training step."""


class DCNv2(RowWise):
    """Explicit products of fields, ``x' = x₀ ⊙ (W x + b) + x``, beside a perceptron (Wang et al., 2021).

    The model to beat on click prediction. ``FactorisationMachine`` is cheaper and scores a catalogue by one product.
    """

    options: DCNv2Options
    std = 0.02

    def build(self) -> None:
        o, width = self.options, self.fields.count * self.options.width
        self.crosses = nn.ModuleList(nn.Linear(width, width) for _ in range(o.crosses))
        self.perceptron = Perceptron(width, *o.layers, dropout=o.dropout, norm=o.norm)
        self.out = nn.Linear(width + (o.layers[-1] if o.layers else width), 1)

    def interact(self, row: Row) -> Tensor:
        start = row.fields().flatten(-2)  # [..., fields × width]
        x = start
        for layer in self.crosses:
            x = start * layer(x) + x
        out: Tensor = self.out(torch.cat([x, self.perceptron(start)], dim=-1))[..., 0]
        return out
