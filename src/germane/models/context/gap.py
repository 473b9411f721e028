"""How long ago the newest event was."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..layers import START
from .history import N_BUCKETS, time_buckets

__all__ = ["Gap"]


class Gap(nn.Embedding):
    """A vector for each bucket of seconds since the user's newest event; zeros where there is none.

    >>> gap = Gap(4)
    >>> since = gap.since(torch.tensor([7, 7, -1]), torch.tensor([60.0, 86400.0, 0.0]))  # of item 7, a minute and a day ago; of nothing
    >>> bool((since[0] != since[1]).any()), bool(since[2].any())
    (True, False)
    """

    def __init__(self, width: int) -> None:
        super().__init__(N_BUCKETS + 1, width, padding_idx=N_BUCKETS)

    def reset_parameters(self) -> None:
        nn.init.normal_(self.weight, std=START)
        with torch.no_grad():
            self.weight[N_BUCKETS].zero_()

    def since(self, items: Tensor, ages: Tensor) -> Tensor:
        """[queries] the newest item, -1 = none, and seconds since -> [queries, width]"""
        vectors: Tensor = self(torch.where(items < 0, N_BUCKETS, time_buckets(ages)))
        return vectors
