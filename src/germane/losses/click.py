"""The loss of the click head: how surprised a probability is by what happened."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from .ranking import weighted_mean
from .wide import wide

__all__ = ["click_loss"]


def click_loss(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Binary cross-entropy, −y ln σ(x) − (1 − y) ln(1 − σ(x)), from logits, so that it stays finite where a sigmoid would round to 0 or 1.

    Its gradient in x is σ(x) − y. ``logits``, ``labels`` (0 or 1), ``weights`` [rows]. Prefer a ranking loss where only the order counts:
    one negative with this loss ranks far worse than a softmax over many.

    >>> import torch
    >>> click_loss(torch.zeros(2), torch.tensor([0.0, 1.0]), torch.ones(2)).item()  # ln 2
    0.693147...
    """
    return weighted_mean(functional.binary_cross_entropy_with_logits(wide(logits), labels, reduction="none"), weights)
