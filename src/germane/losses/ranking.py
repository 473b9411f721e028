"""Losses of the ranking head: the taken item against the catalogue, or against drawn items that the batch shares."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .base import RankingLoss
from .wide import wide

__all__ = ["full_softmax", "sampled", "weighted_mean"]


def full_softmax(logits: Tensor, targets: Tensor, weights: Tensor, out: Tensor | None = None, smoothing: float = 0.0) -> Tensor:
    """Cross-entropy over the catalogue. Prefer it up to some 20,000 items; beyond, ``sampled`` costs less and loses little.

    ``logits`` [positions, items that may stand against each other], ``targets`` [positions] places among them, ``weights`` [positions].
    ``out`` [positions, items]: which of them do not stand against this target. ``smoothing``: the share of a target that is spread evenly over the
    items that stand against each other, itself among them (Szegedy et al., Rethinking the Inception Architecture, 2016): scores stay closer together.

    >>> import torch
    >>> full_softmax(torch.zeros(1, 4), torch.tensor([0]), torch.ones(1)).item()  # ln 4
    1.386294...
    """
    logits = wide(logits)
    logits = logits if out is None else logits.masked_fill(out, torch.finfo(logits.dtype).min)
    if smoothing and out is not None:
        told = -functional.log_softmax(logits, dim=1)
        even = told.masked_fill(out, 0).sum(1) / (~out).sum(1)
        return weighted_mean((1 - smoothing) * told.gather(1, targets[:, None])[:, 0] + smoothing * even, weights)
    return weighted_mean(functional.cross_entropy(logits, targets, reduction="none", label_smoothing=smoothing), weights)


def sampled(
    loss: RankingLoss,
    positive: Tensor,
    negative: Tensor,
    clash: Tensor,
    weights: Tensor,
    log_q: Tensor,
    catalogue: int,
    smoothing: float = 0.0,
) -> Tensor:
    """A loss over shared negatives.

    ``positive`` [positions], ``negative`` [positions, n], ``clash`` [positions, n] marks negatives that do not count, such as the target itself,
    ``log_q`` [n] the log of each negative's expected count among the n drawn: subtracted, it makes the sampled softmax
    consistent with the full one (Bengio and Senécal, 2008).

    ``sampled_softmax`` ranks best; ``bce`` gives probabilities; ``gbce`` (Petrov and Macdonald, 2023) corrects bce's overconfidence
    for the share of the catalogue that was drawn (t = 0.75), and is the mean over the target and its negatives, as published; ``bpr`` (Rendle,
    2009) compares pairs. ``smoothing``, of ``sampled_softmax`` alone, is
    that of ``full_softmax``; the mean of the catalogue's scores, which it asks for, is estimated from the drawn ones.
    """
    positive, negative = wide(positive), wide(negative)
    out = torch.finfo(negative.dtype).min
    if loss == "sampled_softmax":
        logits = torch.cat([positive[:, None], (negative - log_q).masked_fill(clash, out)], dim=1)
        own = -functional.log_softmax(logits, dim=1)[:, 0]
        if smoothing:
            others = negative.masked_fill(clash, 0).sum(1) / (~clash).sum(1).clamp(min=1)
            even = own + (positive - others) * (1 - 1 / catalogue)  # ln of the summed exponentials, less the mean score
            own = (1 - smoothing) * own + smoothing * even
        return weighted_mean(own, weights)
    count = (~clash).sum(1)  # [positions]
    if loss == "bpr":
        return weighted_mean((functional.softplus(negative - positive[:, None]).masked_fill(clash, 0).sum(1) / count.clamp(min=1)), weights)
    against = functional.softplus(negative).masked_fill(clash, 0).sum(1)
    if loss == "bce":
        return weighted_mean(functional.softplus(-positive) + against / count.clamp(min=1), weights)
    rate = negative.shape[1] / max(catalogue - 1, 1)
    power = rate * (0.75 * (1 - 1 / rate) + 1 / rate) if rate < 1 else 1.0
    return weighted_mean((power * functional.softplus(-positive) + against) / (count + 1), weights)


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    return (values * weights).sum() / weights.sum().clamp(min=1e-12)
