"""Figures of ranked lists, one value a query. Arrays in, arrays out.

``hits`` is [queries, places]: whether what stands there is relevant. ``relevant`` is [queries]: how many relevant items each query has in
all, in the list or not. A query without any gets 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["average_precision", "hit", "mrr", "ndcg", "precision", "rank_of", "recall"]

Floats = NDArray[np.float64]
Hits = NDArray[np.bool_]


def rank_of(scores: Floats, targets: NDArray[np.int64]) -> NDArray[np.int64]:
    """[queries] rank of each target, from 1, among [queries, n] scores. Ties count against the target, so constant scores earn nothing.

    >>> rank_of(np.array([[0.1, 0.9, 0.5], [1.0, 1.0, 1.0]]), np.array([2, 0])).tolist()
    [2, 3]
    """
    if scores.ndim != 2 or targets.shape != scores.shape[:1]:
        raise ValueError(f"scores {scores.shape} and targets {targets.shape}: [queries, items] and one target a query are needed.")
    if np.isnan(scores).any():
        raise ValueError("some scores are NaN: nothing can be ranked by them.")
    own = np.take_along_axis(scores, targets[:, None], axis=1)
    better = (scores >= own).sum(axis=1)  # the target itself is one of them
    return np.asarray(np.where(np.isneginf(own[:, 0]), scores.shape[1], better), dtype=np.int64)


def hit(hits: Hits, k: int) -> Floats:
    """Whether anything relevant stands in the first k places of [queries, places]."""
    return np.asarray(_first(hits, k).any(axis=1), dtype=np.float64)


def recall(hits: Hits, relevant: NDArray[np.int64], k: int) -> Floats:
    """Share of the relevant items, of which each query has ``relevant``, that stand in the first k places."""
    return np.asarray(_first(hits, k, relevant).sum(axis=1) / np.maximum(relevant, 1), dtype=np.float64)


def precision(hits: Hits, k: int) -> Floats:
    """Share of the first k places that are relevant; places that a shorter list leaves empty are not."""
    return np.asarray(_first(hits, k).sum(axis=1) / k, dtype=np.float64)


def mrr(hits: Hits, k: int) -> Floats:
    """One over the place of the first relevant item; 0 when none stands in the first k.

    >>> mrr(np.array([[False, True], [False, False]]), 2).tolist()
    [0.5, 0.0]
    """
    cut = _first(hits, k)
    places = np.arange(1, cut.shape[1] + 1)
    return np.asarray((cut / places).max(axis=1, initial=0.0), dtype=np.float64)


def ndcg(hits: Hits, relevant: NDArray[np.int64], k: int) -> Floats:
    """Normalised discounted cumulative gain with binary gains (Järvelin and Kekäläinen, 2002).

    >>> ndcg(np.array([[True, False]]), np.array([1]), 2).tolist()
    [1.0]
    """
    cut = _first(hits, k, relevant)
    discount = 1.0 / np.log2(np.arange(2, cut.shape[1] + 2))
    best = np.concatenate([[0.0], np.cumsum(1.0 / np.log2(np.arange(2, k + 2)))])
    ideal = best[np.minimum(relevant, k)]
    return np.where(ideal > 0, cut @ discount / np.where(ideal > 0, ideal, 1.0), 0.0)


def average_precision(hits: Hits, relevant: NDArray[np.int64], k: int) -> Floats:
    """Mean of the precisions at each relevant place, over all relevant items (as trec_eval's map_cut).

    >>> average_precision(np.array([[True, False, True]]), np.array([2]), 3).round(4).tolist()
    [0.8333]
    """
    cut = _first(hits, k, relevant)
    precisions = cut.cumsum(axis=1) / np.arange(1, cut.shape[1] + 1)
    return np.asarray((precisions * cut).sum(axis=1) / np.maximum(relevant, 1), dtype=np.float64)


def _first(hits: Hits, k: int, relevant: NDArray[np.int64] | None = None) -> Hits:
    """The first k places, once the arrays fit each other."""
    if k < 1:
        raise ValueError(f"k = {k}: a figure looks at 1 place or more.")
    if hits.ndim != 2 or hits.dtype != np.bool_:
        raise ValueError(f"hits are {hits.dtype} of shape {hits.shape}: booleans [queries, places] are needed.")
    if relevant is not None:
        if relevant.shape != hits.shape[:1]:
            raise ValueError(f"hits {hits.shape} and relevant {relevant.shape}: one number of relevant items a query is needed.")
        if (hits.sum(axis=1) > relevant).any():
            raise ValueError("some queries have more hits than relevant items.")
    return hits[:, :k]
