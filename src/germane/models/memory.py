"""What a user's own past says of one item."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["REMEMBERED", "memory"]

REMEMBERED = 3
"""Numbers of ``memory``."""


def memory(history: Tensor, ages: Tensor, items: Tensor) -> Tensor:
    """[..., 3] how often a history [..., T] (codes, the newest last, -1 = none; ``ages`` in seconds) holds an item [...], and how lately:
    log(1 + count), 1 / (1 + days since), and 1 / events since, itself among them. Leading dimensions broadcast. Cost: T for each pair.

    >>> history, ages = torch.tensor([[4, 7, 4, 9]]), torch.tensor([[86_400.0, 300.0, 200.0, 100.0]])
    >>> memory(history, ages, torch.tensor([4, 7, 5])).round(decimals=2).tolist()
    [[1.1..., 1.0, 0.5], [0.689999..., 1.0, 0.33...], [0.0, 0.0, 0.0]]
    """
    same = history == items[..., None]
    often = same.sum(-1).float().log1p()
    days = torch.where(same, ages / 86_400, torch.inf).amin(-1)
    since = torch.arange(history.shape[-1], 0, -1, device=history.device)
    return torch.stack([often, 1 / (1 + days), torch.where(same, 1 / since, 0.0).amax(-1)], dim=-1)
