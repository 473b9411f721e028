"""The losses of the rating head. A model gives one number for a row, and ``as_rating`` turns it into a rating."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .base import RatingLoss
from .ranking import weighted_mean
from .wide import wide

__all__ = ["as_rating", "first_cuts", "rating_loss"]


def rating_loss(kind: RatingLoss, raw: Tensor, values: Tensor, weights: Tensor, levels: Tensor, cuts: Tensor) -> Tensor:
    """``raw``, ``values``, ``weights`` [rows]; ``levels`` [L] the ratings that training knows, ascending; ``cuts`` [L − 1] of ``ordinal``.

    ``mse``: the squared error of the rating itself; what RMSE asks for. ``bce``: cross-entropy on the rating scaled to 0–1, which never leaves
    the scale. ``ordinal``: each step from a level to the next is a yes or no of its own, and all of them are added up (the all-threshold
    loss; Rennie and Srebro, Loss Functions for Preference Levels, 2005), where the distance between two levels means nothing, as with stars.

    >>> levels, cuts = torch.tensor([1.0, 2.0, 3.0]), torch.zeros(2)
    >>> rating_loss("mse", torch.tensor([0.5]), torch.tensor([3.0]), torch.ones(1), levels, cuts).item()  # 2 + 0.5 is half a star short
    0.25
    """
    raw = wide(raw)
    low, high = levels[0], levels[-1]
    if kind == "mse":
        return weighted_mean((_middle(levels) + raw - values) ** 2, weights)
    if kind == "bce":
        share = ((values - low) / (high - low).clamp(min=1e-12)).clamp(0, 1)
        return weighted_mean(functional.binary_cross_entropy_with_logits(raw, share, reduction="none"), weights)
    above = (values[:, None] > levels[:-1]).to(raw.dtype)  # [rows, L − 1]
    return weighted_mean(functional.binary_cross_entropy_with_logits(raw[:, None] - _ordered(cuts), above, reduction="none").sum(1), weights)


def as_rating(kind: RatingLoss, raw: Tensor, levels: Tensor, cuts: Tensor) -> Tensor:
    """The rating [...] that a raw number [...] stands for: with ``ordinal`` the expected one. Always within the scale.

    >>> as_rating("bce", torch.zeros(1), torch.tensor([1.0, 5.0]), torch.zeros(1)).item()
    3.0
    """
    low, high = levels[0], levels[-1]
    if kind == "mse":
        return (_middle(levels) + raw).clamp(low, high)
    if kind == "bce":
        return low + (high - low) * raw.sigmoid()
    return low + ((raw[..., None] - _ordered(cuts)).sigmoid() * levels.diff()).sum(-1)


def first_cuts(above: Tensor) -> Tensor:
    """Cuts [L − 1] by which a raw number of 0 says of each level but the last that the share ``above`` [L − 1] lies above it.

    >>> as_rating("ordinal", torch.zeros(1), torch.tensor([1.0, 2.0, 5.0]), first_cuts(torch.tensor([0.9, 0.3]))).item()
    2.799999952316284
    """
    ordered = -above.clamp(1e-3, 1 - 1e-3).logit()
    return torch.cat([ordered[:1], ordered.diff().clamp(min=1e-2).expm1().log()])


def _middle(levels: Tensor) -> Tensor:
    return (levels[0] + levels[-1]) / 2


def _ordered(cuts: Tensor) -> Tensor:
    """Ascending whatever the parameters are: the first stands where it is, each further one a positive step above."""
    return torch.cat([cuts[:1], cuts[:1] + functional.softplus(cuts[1:]).cumsum(0)])
