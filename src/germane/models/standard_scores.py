"""Scores brought to one scale, so that those of different models may be added up or read side by side."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["spread", "standardised"]


def standardised(scores: Tensor, known: Tensor) -> Tensor:
    """[B, items] less their mean, over their spread, both over the ``known`` ones [items] alone: items added later move no other score.

    >>> standardised(torch.tensor([[1.0, 3.0, 9.0], [2.0, 2.0, 5.0]]), torch.tensor([True, True, False])).round(decimals=2).tolist()
    [[-0.70..., 0.70..., 4.94...], [0.0, 0.0, 3.0]]
    """
    among = scores[:, known]
    return (scores - among.mean(1, keepdim=True)) / spread(among)


def spread(scores: Tensor) -> Tensor:
    """[B, 1] standard deviation over items; 1 where all items score alike, as where a model knows nothing of the user."""
    deviation = scores.std(1, keepdim=True)
    return torch.where(deviation > 1e-9, deviation, 1.0)
