"""Tensor factorisation over users, items and contexts."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from ..base import Abilities
from ..fields import Row
from ..rowwise import RowWise, RowWiseOptions

__all__ = ["TensorFactorisation", "TensorFactorisationOptions"]


class TensorFactorisationOptions(RowWiseOptions):
    width: int = Field(default=16, ge=1)
    """The rank: numbers in the vector of each user, item and, with ``cp``, context value; with ``train`` a context value has width × width."""
    form: Literal["cp", "train"] = "cp"
    """``cp``: a sum of products, of one factor a mode. ``train``: a chain of matrices, one a context column, from the user's vector to the item's."""


class TensorFactorisation(RowWise):
    """Users × items × contexts as one tensor of low rank: ``cp`` (Karatzoglou et al., 2010, with a diagonal core), ``train`` (Oseledets, 2011).

    Each context factor is 1 + its value's vector (or the unit matrix + its matrix), so that a missing value changes nothing and, without any,
    this is ``BiasedMF``. Prefer ``FactorisationMachine`` where there are many context columns: products of many small factors are hard to learn.
    """

    options: TensorFactorisationOptions
    abilities = Abilities(gives=frozenset({"click", "rating", "conversion"}), reads=frozenset({"context", "time"}))
    first_order = True
    std = 0.05

    def moment_width(self) -> int:
        return self.options.width ** (2 if self.options.form == "train" else 1)

    def interact(self, row: Row) -> Tensor:
        user, moment, item = row.asked.user, row.asked.moment, row.offered.item
        if self.options.form == "cp" or not moment.shape[-2]:
            return (user * (1 + moment).prod(-2) * item).sum(-1)
        width = self.options.width
        for column in range(moment.shape[-2]):
            matrix = moment[..., column, :].unflatten(-1, (width, width))
            user = user + torch.einsum("...i,...ij->...j", user, matrix)  # u (I + M)
        return (user * item).sum(-1)
