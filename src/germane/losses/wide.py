"""Losses are worked out in float32 at least, whatever a model's products are held in."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["wide"]


def wide(scores: Tensor) -> Tensor:
    """float16 and bfloat16 to float32; the rest as it is.

    Under autocast scores come in half precision: their sum over a catalogue, and the difference of two like ones, would not survive it.

    >>> wide(torch.ones(1, dtype=torch.bfloat16)).dtype, wide(torch.ones(1, dtype=torch.float64)).dtype
    (torch.float32, torch.float64)
    """
    return scores.float() if scores.dtype in (torch.float16, torch.bfloat16) else scores
