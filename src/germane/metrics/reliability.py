"""What became of rows that were given much the same chance."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .checks import probabilities as check_probabilities

__all__ = ["Reliability", "reliability"]


@dataclass(frozen=True, eq=False)
class Reliability:
    """Bins of ascending probability, none of them empty; each field is [bins]."""

    predicted: NDArray[np.float64]
    """Mean stated probability."""
    share: NDArray[np.float64]
    """Share of rows with the label 1."""
    count: NDArray[np.int64]
    """Rows."""
    low: NDArray[np.float64]
    """Lower end of the share's interval."""
    high: NDArray[np.float64]
    """Upper end."""


def reliability(probabilities: ArrayLike, labels: ArrayLike, bins: int = 10, level: float = 0.95) -> Reliability:
    """Bins with as many rows each, for a reliability diagram: where stated chances are honest, each share is what was predicted.

    Equal statements stand in one bin, so there are fewer bins than asked for where many are equal. Each share has Wilson's interval, which also
    holds for shares near 0 and 1. Tells where ``ece`` comes from, and on which side the error is.

    >>> found = reliability([0.1, 0.1, 0.2, 0.7, 0.8, 0.9], [0, 0, 1, 1, 0, 1], bins=2)
    >>> found.predicted.round(3).tolist(), found.share.round(3).tolist(), found.count.tolist()
    ([0.133, 0.8], [0.333, 0.667], [3, 3])
    >>> found.low.round(3).tolist(), found.high.round(3).tolist()
    ([0.061, 0.208], [0.792, 0.939])

    Source: Murphy and Winkler, Reliability of Subjective Probability Forecasts, 1977; Wilson, Probable Inference, 1927.
    """
    p, y = check_probabilities(probabilities, labels)
    if bins < 1:
        raise ValueError(f"bins = {bins}: 1 or more are needed.")
    if not 0 < level < 1:
        raise ValueError(f"level = {level}: a share between 0 and 1 is wanted, such as 0.95.")
    if not len(p):
        nothing = np.zeros(0)
        return Reliability(nothing, nothing, np.zeros(0, dtype=np.int64), nothing, nothing)
    inner = np.quantile(p, np.linspace(0, 1, bins + 1))[1:-1]
    place = np.searchsorted(inner, p)
    count = np.bincount(place, minlength=bins)
    held = count > 0
    count = count[held]
    predicted = np.bincount(place, weights=p, minlength=bins)[held] / count
    share = np.bincount(place, weights=y, minlength=bins)[held] / count
    z = NormalDist().inv_cdf((1 + level) / 2)
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    reach = z / (1 + z**2 / count) * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return Reliability(predicted, share, count, np.clip(middle - reach, 0, share), np.clip(middle + reach, share, 1))
