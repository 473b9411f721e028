"""The best candidates, best first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .base import Choice, Policy, Scored
from .order import best, best_left, checked

__all__ = ["Greedy"]


class Greedy(Policy):
    """Show the highest scores, highest first; of equals, the item with the lower code.

    The default. Prefer ``EpsilonGreedy`` or ``PlackettLuce`` where the log shall teach: what this policy never shows, nobody can
    judge or learn from afterwards. Every propensity is 1; ``chance`` of another slate is 1 where the best one left stands, else 0.

    >>> scored = Scored(items=np.array([10, 11, 12]), scores=np.array([0.1, 0.9, 0.5]))
    >>> Greedy().choose(scored, 2, np.random.default_rng(0)).places
    array([1, 2])
    """

    def choose(self, scored: Scored, n: int, rng: np.random.Generator) -> Choice:
        places = best(scored.scores, scored.items, n)
        return Choice(places, np.ones(len(places)))

    def chance(self, scored: Scored, places: NDArray[np.int64]) -> NDArray[np.float64]:
        places = checked(places, len(scored))
        left = best_left(best(scored.scores, scored.items, len(places)), places)
        return np.where(places == left, 1.0, 0.0)
