"""The loss of the conversion head: what has not happened yet is no negative."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from .ranking import weighted_mean
from .wide import wide

__all__ = ["conversion_loss"]


def conversion_loss(logits: Tensor, log_rates: Tensor, converted: Tensor, waited: Tensor, weights: Tensor) -> Tensor:
    """Of clicks that convert with p = σ(f), and then after an exponential delay of rate λ = exp(g). All [rows]: ``logits`` f, ``log_rates`` g,
    ``converted`` 0 or 1, ``waited``: how long it took, or has been watched for nothing, in the unit of 1 / λ; inf = it can no longer convert.

    −ln p − ln λ + λ d of what converted after d, −ln(1 − p + p e^(−λ e)) of what did not in e. The gradient of the latter in f is p − w, where w is
    the chance that it still will: a fresh click teaches nothing, an old one what a negative of ``click_loss`` does. Prefer ``click_loss``
    where every outcome is known: it needs no assumption of how delays fall.

    >>> one, f = torch.ones(1), torch.zeros(1)
    >>> round(abs(conversion_loss(f, f, 0 * one, 0 * one, one).item()), 6)  # no time has passed: nothing is known
    0.0
    >>> conversion_loss(f, f, 0 * one, torch.inf * one, one).item()  # ln 2
    0.693147...

    Source: Chapelle, Modeling Delayed Feedback in Display Advertising, 2014.
    """
    logits, log_rates = wide(logits), wide(log_rates)
    never = waited.isinf()
    elapsed = log_rates.exp() * waited.masked_fill(never, 0)  # λ d or λ e; infinities have no gradient
    happened = elapsed - log_rates - logsigmoid(logits)
    not_yet = -torch.logaddexp(logsigmoid(-logits), (logsigmoid(logits) - elapsed).masked_fill(never, -torch.inf))
    return weighted_mean(torch.where(converted > 0, happened, not_yet), weights)
