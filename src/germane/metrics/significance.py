"""How sure a figure is, and whether two runs differ."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .checks import numbers, same_length

__all__ = ["bootstrap_interval", "holm", "paired_t", "paired_test"]

CHUNK = 2_000_000
"""Cells drawn at once."""
FEW = 20
"""Values for each distinct one from which their counts are drawn and not they."""


def bootstrap_interval(values: NDArray[np.float64], level: float = 0.95, draws: int = 2000, seed: int = 0) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean (Efron, 1979). One value gives that value twice.

    >>> low, high = bootstrap_interval(np.arange(100.0))
    >>> low < 49.5 < high
    True
    """
    values = numbers(values, "values")
    if not len(values):
        raise ValueError("no values were given: an interval needs at least one.")
    if not 0 < level < 1 or draws < 1:
        raise ValueError(f"level = {level}, draws = {draws}: a level between 0 and 1 and at least one draw are needed.")
    rng = np.random.default_rng(seed)
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) * FEW <= len(values):  # how often each is drawn decides the mean, and a user with one case has one of few figures
        means = rng.multinomial(len(values), counts / len(values), draws) @ distinct / len(values)
    else:
        step = max(1, CHUNK // len(values))
        means = np.concatenate(
            [values[rng.integers(0, len(values), (min(step, draws - begin), len(values)))].mean(axis=1) for begin in range(0, draws, step)]
        )
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def paired_test(ours: NDArray[np.float64], theirs: NDArray[np.float64], draws: int = 10_000, seed: int = 0) -> float:
    """Two-sided p of a paired permutation test: how often random signs on the differences give a mean as far from zero.

    Asks nothing of how the differences are spread; prefer it to ``paired_t`` for figures with many zeros. Never below 1 / (draws + 1).

    >>> paired_test(np.full(30, 1.0), np.zeros(30)) < 0.001
    True
    >>> paired_test(np.ones(5), np.ones(5))
    1.0

    Source: Smucker et al., A Comparison of Statistical Significance Tests for Information Retrieval Evaluation, 2007.
    """
    gaps = _gaps(ours, theirs)
    gaps = gaps[gaps != 0]
    if not len(gaps):
        return 1.0
    if draws < 1:
        raise ValueError(f"draws = {draws}: at least one is needed.")
    rng = np.random.default_rng(seed)
    seen, far = abs(gaps.sum()) - 1e-12 * np.abs(gaps).sum(), 0  # sums that are equal but for rounding count as equal
    step = max(1, CHUNK // len(gaps))
    for begin in range(0, draws, step):
        signs = rng.integers(0, 2, (min(step, draws - begin), len(gaps)), dtype=np.int8) * 2.0 - 1
        far += int((np.abs(signs @ gaps) >= seen).sum())
    return (far + 1) / (draws + 1)


def paired_t(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> float:
    """Two-sided p of Student's paired t-test: closed form, for many users and p far below what drawing can show; NaN below two pairs.

    >>> round(paired_t(np.array([1.0, 2.0, 3.0]), np.array([0.0, 2.0, 1.0])), 4)
    0.2254
    """
    gaps = _gaps(ours, theirs)
    if len(gaps) < 2:
        return float("nan")
    mean, error = gaps.mean(), gaps.std(ddof=1) / math.sqrt(len(gaps))
    if error == 0:
        return 1.0 if mean == 0 else 0.0
    freedom = len(gaps) - 1
    return _incomplete_beta(freedom / 2, 0.5, freedom / (freedom + float(mean / error) ** 2))


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """[n] p adjusted for having asked n questions (Holm, 1979): below .05 still means at most a 5 % chance of any false finding.

    >>> holm([0.01, 0.04, 0.03]).round(4).tolist()
    [0.03, 0.06, 0.06]
    """
    p = numbers(p_values, "p values")
    if len(p) and (p.min() < 0 or p.max() > 1):
        raise ValueError(f"p values run from {p.min():g} to {p.max():g}: they must lie between 0 and 1.")
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return adjusted


def _gaps(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> NDArray[np.float64]:
    a, b = numbers(ours, "values of ours"), numbers(theirs, "values of theirs")
    same_length("values of ours", a, "values of theirs", b)
    return a - b


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function, by Lentz's continued fraction (Numerical Recipes, 6.4)."""
    if x <= 0 or x >= 1:
        return min(max(x, 0.0), 1.0)
    if x > (a + 1) / (a + b + 2):  # the fraction converges fast on the other side
        return 1 - _incomplete_beta(b, a, 1 - x)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)) / a
    tiny, c = 1e-300, 1.0
    d = 1 / (1 - (a + b) * x / (a + 1) or tiny)
    value = d
    for m in range(1, 10_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / (1 + term * d or tiny)
            c = 1 + term / c or tiny
            value *= d * c
        if abs(d * c - 1) < 1e-15:
            break
    return front * value
