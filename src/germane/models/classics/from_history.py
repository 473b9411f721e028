"""What models that read nothing but the history share: how much each event of it counts, and how scores are cut to the items asked for."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from ...batches import QueryBatch
from ..base import Counted

__all__ = ["FromHistory", "faded", "newest_only"]

FAINT = 1e-7
"""Events whose weight has faded below this are not read."""


class FromHistory(Counted):
    """A counted model that scores the whole catalogue at once, from the events of the query."""

    kind: ClassVar[str] = "history"
    """What its score is told as; see ``reasons``."""
    n_items: int
    """Size of the catalogue, added items included."""

    @abstractmethod
    def catalogue(self, queries: QueryBatch) -> Tensor:
        """[queries, items]"""

    def score(self, queries: QueryBatch, items: Tensor | None = None) -> Tensor:
        scores = self.catalogue(queries)
        if items is None:
            return scores
        return scores[:, items] if items.ndim == 1 else scores.gather(1, items)

    def reasons(self, queries: QueryBatch, items: Tensor) -> dict[str, Tensor]:
        return {self.kind: self.score(queries, items)}


def faded(history: Tensor, fade: float, n_items: int) -> tuple[Tensor, Tensor]:
    """Item codes and weights, [B, T] each: ``fade`` to the power of the events that came after it.

    Places without an event and items from ``n_items`` on, which the model does not know, weigh 0; their code is one that can be looked up.

    >>> faded(torch.tensor([[-1, 4, 2, 9]]), 0.5, 5)
    (tensor([[0, 4, 2, 4]]), tensor([[0.0000, 0.2500, 0.5000, 0.0000]]))
    """
    reach = history.shape[1] if fade == 1 else 1 + int(math.log(FAINT) / math.log(fade))
    history = history[:, -reach:]
    after = torch.arange(history.shape[1] - 1, -1, -1, dtype=torch.float32)
    return history.clamp(0, n_items - 1), fade**after * ((history >= 0) & (history < n_items))


def newest_only(codes: Tensor, weights: Tensor) -> Tensor:
    """[B, T] the same weights, but an item that comes again counts where it came last and nowhere else.

    >>> newest_only(torch.tensor([[3, 1, 3]]), torch.tensor([[0.2, 0.5, 1.0]]))
    tensor([[0.0000, 0.5000, 1.0000]])
    """
    same = (codes[:, :, None] == codes[:, None, :]) & (weights[:, None, :] > 0)  # [B, T, later]
    return weights * ~same.triu(1).any(2)
