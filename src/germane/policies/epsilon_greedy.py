"""The best candidates, now and then one by chance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..component import Options
from .base import Choice, Policy, Scored
from .order import best, best_left, checked, walk

__all__ = ["EpsilonGreedy", "EpsilonGreedyOptions"]


class EpsilonGreedyOptions(Options):
    epsilon: float = Field(default=0.1, ge=0, le=1)
    """Chance that a place goes to a uniformly random candidate instead of the best one left; each place is drawn for itself."""


class EpsilonGreedy(Policy):
    """In each place the best candidate left, or with chance ``epsilon`` any of those left, all alike.

    Simple and easy to explain: the price is known (a share ``epsilon`` of the places), and every item has some chance. Over a large
    catalogue that chance is tiny (epsilon / items) and spent on items that hardly anyone wants; prefer ``PlackettLuce`` there, which tries what
    scores nearly as well.

    The chance of an item in a place, given those above, is ``(1 - epsilon) [it is the best left] + epsilon / left``; exact.

    >>> scored = Scored(items=np.array([10, 11, 12, 13]), scores=np.array([0.1, 0.9, 0.5, 0.2]))
    >>> policy = EpsilonGreedy(epsilon=0.2)
    >>> policy.chance(scored, np.array([1, 0])).round(4).tolist()
    [0.85, 0.0667]

    Source: Sutton and Barto, Reinforcement Learning (2018), section 2.2.
    """

    options: EpsilonGreedyOptions

    def choose(self, scored: Scored, n: int, rng: np.random.Generator) -> Choice:
        order = best(scored.scores, scored.items, n)
        places = walk(order, len(scored), self.options.epsilon, rng)
        return Choice(places, self._chance(order, places, len(scored)))

    def chance(self, scored: Scored, places: NDArray[np.int64]) -> NDArray[np.float64]:
        places = checked(places, len(scored))
        return self._chance(best(scored.scores, scored.items, len(places)), places, len(scored))

    def _chance(self, order: NDArray[np.int64], places: NDArray[np.int64], candidates: int) -> NDArray[np.float64]:
        epsilon = self.options.epsilon
        by_score = np.where(places == best_left(order, places), 1 - epsilon, 0.0)
        return by_score + epsilon / (candidates - np.arange(len(places)))
