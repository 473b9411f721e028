"""What was taken after what: pairs of items that say which belong together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .dataset import Dataset

__all__ = ["following"]


def following(dataset: Dataset, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """[pairs, 2] codes of an item and of the one that its user took next, among these ``rows`` and no others; the same item twice is no pair.

    What was shown and not taken (label 0) is left out, and what may be no target (``positive``) comes first only.

    >>> shop = Dataset.from_frames({"user": list("aaab"), "item": list("xyyx")})
    >>> shop.items["id"].gather(following(shop, np.array([0, 1, 2, 3]))[0]).to_list()
    ['x', 'y']
    """
    part = dataset.take(rows).taken()
    order = part.timelines.order
    users, items = part.user_codes[order], part.item_codes[order]
    liked = part.events["positive"].to_numpy()[order]
    pairs = np.stack([items[:-1], items[1:]], axis=1)
    found: NDArray[np.int64] = pairs[(users[:-1] == users[1:]) & liked[1:] & (items[:-1] != items[1:])]
    return found
