"""Figures of predicted probabilities against what happened (0 or 1). Without values, or where one class is missing, undefined figures are NaN."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .checks import labels as check_labels
from .checks import numbers, same_length
from .checks import probabilities as check_probabilities

__all__ = ["auc", "auc_interval", "ece", "log_loss", "normalised_entropy"]


def auc(scores: ArrayLike, labels: ArrayLike) -> float:
    """The chance that a positive scores above a negative, ties counted half. Reads order only; NaN where either class is missing.

    >>> auc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
    0.75
    """
    s, y = numbers(scores, "scores"), check_labels(labels)
    same_length("scores", s, "labels", y)
    positives = int(y.sum())
    negatives = len(y) - positives
    if not positives or not negatives:
        return float("nan")
    return float((_middle_ranks(s)[y].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def auc_interval(scores: ArrayLike, labels: ArrayLike, level: float = 0.95) -> tuple[float, float]:
    """Around ``auc``, from how much single rows move it; cut at 0 and 1. NaN where either class has fewer than two rows.

    >>> low, high = auc_interval([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
    >>> low < 0.75 < high
    True

    Source: DeLong, DeLong and Clarke-Pearson, Comparing the Areas under Two or More Correlated ROC Curves, 1988; by ranks: Sun and Xu, 2014.
    """
    s, y = numbers(scores, "scores"), check_labels(labels)
    same_length("scores", s, "labels", y)
    m, n = int(y.sum()), int((~y).sum())
    if m < 2 or n < 2:
        return float("nan"), float("nan")
    every = _middle_ranks(s)
    positive = (every[y] - _middle_ranks(s[y])) / n  # [m] the share of negatives that each positive beats
    negative = 1 - (every[~y] - _middle_ranks(s[~y])) / m
    reach = float(NormalDist().inv_cdf((1 + level) / 2) * np.sqrt(positive.var(ddof=1) / m + negative.var(ddof=1) / n))
    middle = float(positive.mean())
    return max(0.0, middle - reach), min(1.0, middle + reach)


def _middle_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """From 1; equal values share the mean of their ranks."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: NDArray[np.float64] = (counts.cumsum() - (counts - 1) / 2)[place]
    return ranks


def log_loss(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Mean negative log-likelihood in nats; a certainty that was wrong is cut at the smallest step from 0 or 1.

    >>> round(log_loss([0.9, 0.2], [1, 0]), 4)
    0.1643
    """
    p, y = check_probabilities(probabilities, labels)
    if not len(p):
        return float("nan")
    smallest = np.finfo(np.float64).eps
    p = np.clip(p, smallest, 1 - smallest)
    return float(-np.where(y, np.log(p), np.log1p(-p)).mean())


def normalised_entropy(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Log loss as a share of what always saying the mean would lose: below 1 something was learnt; NaN where either class is missing.

    Compares data sets with different shares of positives, which ``log_loss`` does not.

    >>> normalised_entropy([0.5, 0.5], [0, 1])
    1.0

    Source: He et al., Practical Lessons from Predicting Clicks on Ads at Facebook, 2014.
    """
    loss, y = log_loss(probabilities, labels), check_labels(labels)
    if y.all() or not y.any():
        return float("nan")
    return loss / log_loss(np.full(len(y), y.mean()), y)


def ece(probabilities: ArrayLike, labels: ArrayLike, bins: int = 15) -> float:
    """Expected calibration error: how far the stated probability is from the observed share, over bins of equal width,
    weighed by what falls in them.

    >>> round(ece([0.8, 0.8, 0.8, 0.8], [1, 1, 1, 0]), 4)
    0.05

    Source: Guo et al., On Calibration of Modern Neural Networks, 2017.
    """
    p, y = check_probabilities(probabilities, labels)
    if bins < 1:
        raise ValueError(f"bins = {bins}: 1 or more are needed.")
    if not len(p):
        return float("nan")
    place = np.minimum((p * bins).astype(np.int64), bins - 1)
    gaps = np.bincount(place, weights=p - y, minlength=bins)  # each bin's count times its gap
    return float(np.abs(gaps).sum() / len(p))
