"""Item vectors by id: what models see of the items' texts."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .learning import LearningTexts

__all__ = ["ItemContent"]


@dataclass(frozen=True)
class ItemContent:
    """Vectors of the items' texts and codes of their side features, by item code. A model does not know how they came about."""

    text: Tensor
    """[items, text width] vectors of the items' prompts as the encoder gave them; width 0 without text."""
    side_codes: Tensor
    """[items, C] rows of one embedding table; 0 = missing."""
    side_dense: Tensor
    """[items, width] standardised numbers with their presence flags."""
    known: Tensor
    """[items] bool: the item has training events. Others are never negatives."""
    n_side_codes: int = 1
    """Rows of the side features' embedding table, row 0 (missing) included."""
    learning: LearningTexts | None = None
    """The texts themselves, where their language model learns in the training that comes; ``text`` is as it was before."""

    @property
    def n_items(self) -> int:
        return self.text.shape[0]

    @property
    def width(self) -> int:
        return self.text.shape[1]

    def vectors(self, items: Tensor) -> Tensor:
        """[..., text width]"""
        return self.text[items]

    def extended(self, text: Tensor, side_codes: Tensor, side_dense: Tensor) -> ItemContent:
        """The same items with new ones behind them, unknown to training."""
        more = torch.zeros(text.shape[0], dtype=torch.bool)
        return ItemContent(
            torch.cat([self.text, text]),
            torch.cat([self.side_codes, side_codes]),
            torch.cat([self.side_dense, side_dense]),
            torch.cat([self.known, more]),
            self.n_side_codes,
        )
