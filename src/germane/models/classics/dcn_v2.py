"""The deep and cross network."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from ...histories import KEPT
from ...search_space import Searched
from ..fields import Row
from ..memory import REMEMBERED
from ..perceptron import Perceptron
from ..rowwise import RowWise, RowWiseOptions

__all__ = ["DCNv2", "DCNv2Options"]


class DCNv2Options(RowWiseOptions):
    crosses: int = Field(default=3, ge=1)
    """Cross layers; each raises the order of products by one."""
    layers: tuple[int, ...] = (400, 400)
    """Numbers in each dense layer beside the crosses."""
    norm: bool = True
    """Standardise each dense layer's numbers over the rows of a batch; with ``accumulate``, or on several processes, over those of each part, which
    then do not quite equal the whole."""
    dropout: Annotated[float, Searched(0.0, 0.6)] = Field(default=0.0, ge=0, lt=1)
    """Share of the dense layers' numbers left out of a training step."""
    memory: int = Field(default=0, ge=0, le=KEPT)
    """How many of the user's newest events are searched for this very item: how often and how lately are fields too. 0 = none, as published; a run
    remembers no more than 200."""


class DCNv2(RowWise):
    """Explicit products of fields, ``x' = x₀ ⊙ (W x + b) + x``, beside a perceptron (Wang et al., 2021).

    The model to beat on click prediction. ``FactorisationMachine`` is cheaper and scores a catalogue by one product. With ``memory`` it also reads
    how often and how lately this user took this very item, which says most where things are taken again: apps, groceries, songs.

    >>> sorted(DCNv2(memory=50).abilities.reads - DCNv2().abilities.reads)
    ['history']
    """

    options: DCNv2Options
    std = 0.02

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        if self.options.memory:
            self.abilities = replace(self.abilities, reads=self.abilities.reads | {"history"})

    @property
    def length(self) -> int:
        return max(1, self.options.memory)

    def build(self) -> None:
        o = self.options
        width = (self.fields.count + (REMEMBERED if o.memory else 0)) * o.width
        self.remember = nn.Parameter(torch.randn(REMEMBERED, o.width) * self.std) if o.memory else None
        self.crosses = nn.ModuleList(nn.Linear(width, width) for _ in range(o.crosses))
        self.perceptron = Perceptron(width, *o.layers, dropout=o.dropout, norm=o.norm)
        self.out = nn.Linear(width + (o.layers[-1] if o.layers else width), 1)

    def interact(self, row: Row) -> Tensor:
        start = row.fields()
        if self.remember is not None:
            start = torch.cat([start, row.remembered(self.options.memory)[..., None] * self.remember], dim=-2)
        start = start.flatten(-2)  # [..., fields × width]
        x = start
        for layer in self.crosses:
            x = start * layer(x) + x
        out: Tensor = self.out(torch.cat([x, self.perceptron(start)], dim=-1))[..., 0]
        return out
