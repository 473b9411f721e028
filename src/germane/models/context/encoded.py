"""What queries come to before they meet items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from torch import Tensor

from ...encoders import Words

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
    words: Words
    """[P] that were typed, for ``WordMatch``."""
    times: Tensor
    """[P] float64"""
    items: Tensor
    """[P, T] codes of the history, the newest last; -1 = none. In training without a memory the newest alone."""
    ages: Tensor
    """[P, T] seconds from each event of it to the moment asked about."""

    def __getitem__(self, index: Any) -> Self:
        return type(self)(*(getattr(self, name)[index] for name in self.__dataclass_fields__))
