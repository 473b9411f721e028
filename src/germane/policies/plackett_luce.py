"""A softmax drawn place by place."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..component import Options
from .base import Choice, Policy, Scored
from .order import best, checked, walk

__all__ = ["PlackettLuce", "PlackettLuceOptions"]

SMALLEST = float(np.finfo(np.float64).tiny)
"""2.2e-308: what is stated for a chance too small for a float, so that no item that may be drawn has propensity 0."""


class PlackettLuceOptions(Options):
    temperature: float = Field(default=1.0, ge=1e-6)
    """Scores are divided by it: near 0 the list is the greedy one (``Greedy`` is just that), high up all orders are alike."""
    epsilon: float = Field(default=0.0, ge=0, le=1)
    """Share of a uniform draw in each place: no candidate's chance falls below epsilon / left."""


class PlackettLuce(Policy):
    """Draw each place from the softmax of ``score / temperature`` over the candidates left.

    Explores among what scores nearly as well, so it costs less than ``EpsilonGreedy`` and teaches more; but it needs scores whose
    differences mean something, and its smallest chances are very small: a floor ``epsilon`` keeps importance weights bounded for judging later.

    A draw is one perturbed sort: the candidates with the highest ``score / temperature + Gumbel noise``, in that order, are distributed
    just so. With a floor the same order is walked, each place going by chance to any candidate left: noise that lost says nothing about which of the
    losers is highest, so the next in order remains a draw from the softmax of those left. The chance of an item in a place, given those above, is
    ``(1 - epsilon) exp(s_i) / sum of exp(s) over those left + epsilon / left``; exact. Sums run in logarithms and from the last place upwards,
    so nothing is subtracted and nothing underflows; one that no float can hold is stated as 2.2e-308. Time: candidates + n log n.

    >>> scored = Scored(items=np.array([10, 11, 12]), scores=np.log([1.0, 2.0, 7.0]))
    >>> PlackettLuce().chance(scored, np.array([2, 0])).round(4).tolist()
    [0.7, 0.3333]

    Sources: Plackett, The Analysis of Permutations (1975); Kool et al., Stochastic Beams and Where to Find Them (2019), appendix A.
    """

    options: PlackettLuceOptions

    def choose(self, scored: Scored, n: int, rng: np.random.Generator) -> Choice:
        noisy = self._logits(scored) + rng.gumbel(size=len(scored))
        places = walk(best(noisy, scored.items, n), len(scored), self.options.epsilon, rng)
        return Choice(places, self._chance(scored, places))

    def chance(self, scored: Scored, places: NDArray[np.int64]) -> NDArray[np.float64]:
        return self._chance(scored, checked(places, len(scored)))

    def _logits(self, scored: Scored) -> NDArray[np.float64]:
        if not len(scored):
            return scored.scores
        logits: NDArray[np.float64] = (scored.scores - scored.scores.max()) / self.options.temperature
        return logits

    def _chance(self, scored: Scored, places: NDArray[np.int64]) -> NDArray[np.float64]:
        logits = self._logits(scored)
        shown = logits[places]  # [n]
        rest = np.delete(logits, places)
        highest = rest.max(initial=-np.inf)
        log_rest = highest + np.log(np.exp(rest - highest).sum()) if len(rest) else -np.inf
        # Mass left at each place = what is never shown + what is shown from there on.
        left = np.logaddexp(log_rest, np.logaddexp.accumulate(shown[::-1])[::-1]) if len(shown) else shown
        softmax = np.exp(np.minimum(shown - left, 0.0))
        epsilon = self.options.epsilon
        mixed = (1 - epsilon) * softmax + epsilon / (len(scored) - np.arange(len(places)))
        return np.clip(mixed, SMALLEST, 1.0)
