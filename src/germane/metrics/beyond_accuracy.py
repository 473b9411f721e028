"""What lists are like besides right: how much of the catalogue they show, how evenly, how surprising, how varied.

``lists`` is [queries, k] item codes; -1 marks a place that a shorter list leaves empty.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["coverage", "gini", "intra_list_diversity", "novelty"]

Codes = NDArray[np.int64]
Floats = NDArray[np.float64]


def coverage(lists: Codes, n_items: int) -> float:
    """Share of the catalogue that stands in any list.

    >>> coverage(np.array([[0, 1], [1, -1]]), 4)
    0.5
    """
    return float((_shown(lists, n_items) > 0).sum() / n_items) if n_items else float("nan")


def gini(lists: Codes, n_items: int) -> float:
    """How unevenly the items of the catalogue are shown: 0 = all alike, near 1 = one item takes every place; NaN where nothing is shown.

    >>> gini(np.array([[0, 1], [2, 3]]), 4), gini(np.array([[0], [0]]), 4)
    (0.0, 0.75)
    """
    shown = np.sort(_shown(lists, n_items))
    if not shown.sum():
        return float("nan")
    return float(((2 * np.arange(1, n_items + 1) - n_items - 1) * shown).sum() / (n_items * shown.sum()))


def novelty(lists: Codes, counts: Codes) -> Floats:
    """[queries] mean self-information of what is shown, in bits; ``counts`` are the items' training events, each one more than none.

    NaN for an empty list.

    >>> novelty(np.array([[0], [1]]), np.array([2, 0])).round(3).tolist()
    [0.415, 2.0]

    Source: Zhou et al., Solving the apparent diversity-accuracy dilemma of recommender systems, 2010.
    """
    _check(lists, len(counts))
    if (counts < 0).any():
        raise ValueError("some counts are below 0.")
    information = -np.log2((counts + 1) / (counts.sum() + len(counts)))
    there = lists >= 0
    bits = np.where(there, information[np.where(there, lists, 0)], 0.0) if len(counts) else np.zeros(lists.shape)
    return _mean(bits.sum(axis=1), there.sum(axis=1))


def intra_list_diversity(lists: Codes, vectors: NDArray[np.floating]) -> Floats:
    """[queries] mean distance (1 - cosine) of all pairs in a list, by [items, width] vectors: 0 = all the same; NaN below two items.

    >>> intra_list_diversity(np.array([[0, 1], [0, 2]]), np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]])).tolist()
    [0.0, 1.0]

    Source: Ziegler et al., Improving recommendation lists through topic diversification, 2005.
    """
    _check(lists, len(vectors))
    if np.isnan(vectors).any():
        raise ValueError("some vectors hold NaN: no distance can be told.")
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = np.append(vectors / np.where(norms > 0, norms, 1.0), np.zeros((1, vectors.shape[1])), axis=0)  # code -1 finds the last row
    sums, squares = np.zeros((len(lists), vectors.shape[1])), np.zeros(len(lists))
    for place in lists.T:  # [queries] at a time: [queries, k, width] need not fit
        here = unit[place]
        sums += here
        squares += np.square(here).sum(axis=1)
    n = (lists >= 0).sum(axis=1)
    pairs = n * (n - 1)
    alike = np.square(sums).sum(axis=1) - squares  # over ordered pairs: |sum|^2 without each with itself
    return _mean(pairs - alike, pairs)


def _shown(lists: Codes, n_items: int) -> Codes:
    """[items] how often each is shown."""
    _check(lists, n_items)
    return np.bincount(lists[lists >= 0], minlength=n_items)


def _check(lists: Codes, n_items: int) -> None:
    if lists.ndim != 2 or not np.issubdtype(lists.dtype, np.integer):
        raise ValueError(f"lists are {lists.dtype} of shape {lists.shape}: item codes [queries, k] are needed.")
    if lists.size and (lists.max() >= n_items or lists.min() < -1):
        raise ValueError(f"lists hold the codes {lists.min()} to {lists.max()}: the catalogue has 0 to {n_items - 1}, and -1 is an empty place.")


def _mean(total: Floats, n: Codes) -> Floats:
    return np.where(n > 0, total / np.maximum(n, 1), np.nan)
