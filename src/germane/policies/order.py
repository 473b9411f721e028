"""Walking down an order of candidates: what the policies that mix with chance have in common."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import GermaneError

__all__ = ["best", "best_left", "checked", "walk"]

Positions = NDArray[np.int64]


def best(scores: NDArray[np.float64], items: NDArray[np.int64], n: int) -> Positions:
    """[min(n, candidates)] positions of the highest scores, highest first; of equals, the lower item code first.

    >>> best(np.array([1.0, 3.0, 3.0]), np.array([7, 9, 8]), 2)
    array([2, 1])
    """
    if n >= len(scores):
        return np.lexsort((items, -scores))
    if n <= 0:
        return np.zeros(0, dtype=np.int64)
    edge = np.partition(scores, len(scores) - n)[len(scores) - n]  # the n-th highest: candidates + n log n in all
    above, equal = np.flatnonzero(scores > edge), np.flatnonzero(scores == edge)
    equal = equal[np.argsort(items[equal], kind="stable")][: n - len(above)]
    return np.concatenate([above[np.lexsort((items[above], -scores[above]))], equal])


def best_left(order: Positions, places: Positions) -> Positions:
    """[n] the first of ``order`` that is not among the places above, for each place; ``order`` holds the best n at least.

    >>> best_left(np.array([4, 0, 2]), np.array([0, 4, 1]))
    array([4, 4, 2])
    """
    left = np.empty(len(places), dtype=np.int64)
    taken: set[int] = set()
    first = 0
    for k, place in enumerate(places.tolist()):
        while int(order[first]) in taken:
            first += 1
        left[k] = order[first]
        taken.add(place)
    return left


def checked(places: NDArray[np.int64], candidates: int) -> Positions:
    """The places of a slate, once it is sure that each is a candidate and none stands there twice."""
    places = np.asarray(places, dtype=np.int64)
    if len(places) and (places.min() < 0 or places.max() >= candidates):
        raise GermaneError(f"place {int(places.max())} of {candidates} candidates: places are positions from 0 to {candidates - 1}.")
    if len(np.unique(places)) != len(places):
        raise GermaneError("an item stands twice in the slate: the places of a slate are different candidates.")
    return places


def walk(order: Positions, candidates: int, epsilon: float, rng: np.random.Generator) -> Positions:
    """[n] the candidates in this order, but in each place with chance ``epsilon`` a uniformly random one of those left.

    ``order`` holds the first n; what is drawn by chance and stands further down in it is passed over there.
    """
    n = len(order)
    if epsilon == 0 or n == 0:
        return order
    by_chance = rng.random(n) < epsilon
    picks = rng.integers(0, candidates - np.arange(n))
    left = np.arange(candidates)  # those left are left[:size]; where[c] is the seat of candidate c in it
    where = np.arange(candidates)
    places = np.empty(n, dtype=np.int64)
    first = 0
    for k in range(n):
        size = candidates - k
        while where[order[first]] >= size:
            first += 1
        place = left[picks[k]] if by_chance[k] else order[first]
        seat, last = where[place], left[size - 1]
        left[seat], left[size - 1] = last, place
        where[last], where[place] = seat, size - 1
        places[k] = place
    return places
