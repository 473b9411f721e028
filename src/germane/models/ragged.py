"""Rows of different lengths that lie one behind the other."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["ragged"]


def ragged(begins: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """All places of rows that begin at ``begins`` [n] and hold ``counts`` [n]: which row, and the place, both [counts added up].

    >>> [part.tolist() for part in ragged(torch.tensor([5, 0, 9]), torch.tensor([2, 0, 1]))]
    [[0, 0, 2], [5, 6, 9]]
    """
    row = torch.arange(len(counts), device=counts.device).repeat_interleave(counts)
    return row, torch.arange(len(row), device=counts.device) + (begins - counts.cumsum(0) + counts)[row]
