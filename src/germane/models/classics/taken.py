"""What users took in training, each pair of user and item once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...data.dataset import Dataset
from ...errors import TrainingError

__all__ = ["taken"]


def taken(dataset: Dataset) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Users, items and weights, by user and then by item.

    A pair weighs the sum of its events' weights; events that are no targets (``positive``) weigh nothing, and pairs that weigh nothing are left out.
    """
    pairs, where = np.unique(dataset.user_codes * dataset.n_items + dataset.item_codes, return_inverse=True)
    events = dataset.events["weight"].to_numpy().astype(np.float64) * dataset.events["positive"].to_numpy()
    weights = np.bincount(where, weights=events, minlength=len(pairs)).astype(np.float64)
    kept = weights > 0
    if not kept.any():
        raise TrainingError(
            "No training event may be a target with a weight above 0, so there is nothing to count: loosen [data.rules], or bring events whose label "
            "is not 0."
        )
    pairs, weights = pairs[kept], weights[kept]
    return pairs // dataset.n_items, pairs % dataset.n_items, weights
