"""How sure a figure is, and whether two runs differ."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["bootstrap_interval", "paired_test"]

CHUNK = 2_000_000
"""Cells drawn at once."""


def bootstrap_interval(values: NDArray[np.float64], level: float = 0.95, draws: int = 2000, seed: int = 0) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean (Efron, 1979). One value gives that value twice.

    >>> low, high = bootstrap_interval(np.arange(100.0))
    >>> low < 49.5 < high
    True
    """
    if not len(values):
        raise ValueError("no values were given: an interval needs at least one.")
    rng = np.random.default_rng(seed)
    step = max(1, CHUNK // len(values))
    means = np.concatenate(
        [values[rng.integers(0, len(values), (min(step, draws - begin), len(values)))].mean(axis=1) for begin in range(0, draws, step)]
    )
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def paired_test(ours: NDArray[np.float64], theirs: NDArray[np.float64], draws: int = 10_000, seed: int = 0) -> float:
    """Two-sided p of a paired permutation test: how often random signs on the differences give a mean as far from zero.

    >>> paired_test(np.full(30, 1.0), np.zeros(30)) < 0.001
    True
    >>> paired_test(np.ones(5), np.ones(5))
    1.0
    """
    if len(ours) != len(theirs):
        raise ValueError(f"{len(ours)} values against {len(theirs)}: a paired test needs one of each for every user.")
    gaps = np.asarray(ours, dtype=np.float64) - theirs
    gaps = gaps[gaps != 0]
    if not len(gaps):
        return 1.0
    rng = np.random.default_rng(seed)
    seen, far = abs(gaps.sum()), 0
    step = max(1, CHUNK // len(gaps))
    for begin in range(0, draws, step):
        signs = rng.integers(0, 2, (min(step, draws - begin), len(gaps)), dtype=np.int8) * 2.0 - 1
        far += int((np.abs(signs @ gaps) >= seen - 1e-12).sum())
    return (far + 1) / (draws + 1)
