"""What queries come to before they meet items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from torch import Tensor

from ..layers import product

__all__ = ["Encoded"]


@dataclass(frozen=True)
class Encoded:
    """Of P queries, or places of timelines."""

    history: Tensor
    """[P, width] what the history says alone."""
    silent: Tensor
    """[P, width] in its moment, without the typed words."""
    query: Tensor
    """[P, width] in its moment, with the words."""
    moment: Tensor
    """[P, width] the moment and the words alone."""
    mean: Tensor
    """[P, z + traits] recency-weighted means of the history's texts and side features; width 0 where they are not compared."""
    typed: Tensor
    """[P, z] what the typed words mean."""
    named: Tensor
    """[P, width of the words] the very words that were typed, to be multiplied with the items' ``names``."""
    times: Tensor
    """[P] float64"""
    items: Tensor
    """[P, T] codes of the history, the newest last; -1 = none. In training without a memory the newest alone."""
    ages: Tensor
    """[P, T] seconds from each event of it to the moment asked about."""

    def near(self, names: Tensor, items: Tensor | None = None) -> Tensor:
        """[P, items] or as ``items`` [P, n]: how far the very words that were typed are those of ``names`` [items, width of the words]; [1] 0, and
        nothing gathered, where none were."""
        if not bool(self.named.any()):
            return self.query.new_zeros(1)
        return product(self.named, names if items is None else names[items])

    def __getitem__(self, index: Any) -> Self:
        return type(self)(*(getattr(self, name)[index] for name in self.__dataclass_fields__))
