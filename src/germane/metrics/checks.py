"""What every figure asks of its arrays before it counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["labels", "numbers", "probabilities", "same_length"]


def numbers(values: ArrayLike, what: str) -> NDArray[np.float64]:
    """[n] floats, none of them NaN."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"{what} have the shape {array.shape}: one value each is wanted, a flat array.")
    if np.isnan(array).any():
        raise ValueError(f"{int(np.isnan(array).sum())} of {len(array)} {what} are NaN: no figure can be made of them.")
    return array


def labels(values: ArrayLike) -> NDArray[np.bool_]:
    """[n] of 0 and 1."""
    array = numbers(values, "labels")
    if not np.isin(array, (0, 1)).all():
        raise ValueError(f"labels are 0 or 1; given were {np.unique(array)[:5].tolist()}.")
    return array.astype(bool)


def same_length(what: str, one: NDArray[np.generic], other_what: str, other: NDArray[np.generic]) -> None:
    if len(one) != len(other):
        raise ValueError(f"{len(one)} {what} against {len(other)} {other_what}: one of each is needed.")


def probabilities(values: ArrayLike, happened: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """[n] between 0 and 1, and [n] labels of theirs."""
    p, y = numbers(values, "probabilities"), labels(happened)
    same_length("probabilities", p, "labels", y)
    if len(p) and (p.min() < 0 or p.max() > 1):
        raise ValueError(f"probabilities run from {p.min():g} to {p.max():g}: they must lie between 0 and 1.")
    return p, y
