"""The contract finds what is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from germane.policies import Choice, PlackettLuce, Policy
from germane.testing import PolicyContract


class Boasting(PlackettLuce):
    """States the softmax, draws something hotter."""

    def choose(self, scored, n, rng):
        places = PlackettLuce(temperature=2.0).choose(scored, n, rng).places
        return Choice(places, self.chance(scored, places))


class Twice(Policy):
    """Shows the best again and again."""

    def choose(self, scored, n, rng):
        n = min(n, len(scored))
        return Choice(np.full(n, int(np.argmax(scored.scores))), np.ones(n))

    def chance(self, scored, places):
        return np.ones(len(places))


def contract(policy, draws=5_000):
    held = PolicyContract()
    held.policy, held.draws = policy, draws
    return held


def test_a_wrong_propensity_is_found():
    with pytest.raises(AssertionError, match="stated"):
        contract(Boasting()).test_frequencies_agree_with_propensities()


def test_an_item_shown_twice_is_found():
    with pytest.raises(AssertionError):
        contract(Twice()).test_places_are_different_candidates()
