"""Matrix factorisation with biases."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from ..base import Abilities
from ..fields import Row
from ..rowwise import RowWise, RowWiseOptions

__all__ = ["BiasedMF", "BiasedMFOptions"]


class BiasedMFOptions(RowWiseOptions):
    l2: float = Field(default=0.02, ge=0)
    """Weight of the squared length of the vectors that a batch reads, a mean over its rows."""


class BiasedMF(RowWise):
    """``μ + b_u + b_i + p_u · q_i``: the baseline of rating prediction (Koren, Bell and Volinsky, 2009), by gradient descent.

    Reads ids only: prefer ``FactorisationMachine`` where moments, users or items have columns.
    """

    options: BiasedMFOptions
    abilities = Abilities(gives=frozenset({"click", "rating", "conversion"}))
    first_order = True
    std = 0.05

    def interact(self, row: Row) -> Tensor:
        return (row.asked.user * row.offered.item).sum(-1)
