"""What a model with an item tower does as the language model behind it learns."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from ..base import Learned
from .items import ItemTower

__all__ = ["ThroughItems"]


class ThroughItems(Learned):
    """Learns through the texts of its item tower."""

    items: ItemTower
    by_rows = ("items.identity",)

    def refresh(self, encode: Callable[[Sequence[str]], Tensor]) -> None:
        self.items.refresh(encode)

    def gathered(self) -> Tensor | None:
        return self.items.gathered()

    def carry(self, number: int = 0, count: int = 1) -> None:
        self.items.carry(number, count)

    def settle(self, text: Tensor) -> None:
        self.items.settle(text)
