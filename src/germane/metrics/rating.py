"""How far predicted ratings are from given ones. NaN without values."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .checks import numbers, same_length

__all__ = ["mae", "rmse"]


def rmse(predicted: ArrayLike, given: ArrayLike) -> float:
    """Root of the mean squared error; one large error weighs more than many small ones.

    >>> rmse([3.0, 5.0], [4.0, 4.0])
    1.0
    """
    errors = _errors(predicted, given)
    return float(np.sqrt(np.square(errors).mean())) if len(errors) else float("nan")


def mae(predicted: ArrayLike, given: ArrayLike) -> float:
    """Mean absolute error, in the unit of the ratings.

    >>> mae([3.0, 4.0], [4.0, 4.0])
    0.5
    """
    errors = _errors(predicted, given)
    return float(np.abs(errors).mean()) if len(errors) else float("nan")


def _errors(predicted: ArrayLike, given: ArrayLike) -> NDArray[np.float64]:
    ours, truth = numbers(predicted, "predicted ratings"), numbers(given, "given ratings")
    same_length("predicted ratings", ours, "given ratings", truth)
    return ours - truth
