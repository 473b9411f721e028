"""Rows of a compressed table."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["stretches"]


def stretches(offsets: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """All entries of these rows of a compressed table: for each, its place in ``rows`` and its place in the table.

    >>> stretches(torch.tensor([0, 2, 2, 5]), torch.tensor([2, 0]))
    (tensor([0, 0, 0, 1, 1]), tensor([2, 3, 4, 0, 1]))
    """
    counts = offsets[rows + 1] - offsets[rows]
    which = torch.repeat_interleave(counts)
    return which, torch.arange(len(which), device=offsets.device) + (offsets[rows] - counts.cumsum(0) + counts)[which]
