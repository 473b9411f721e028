from __future__ import annotations

import numpy as np
import pytest

from germane.errors import ConfigError
from germane.policies import EpsilonGreedy, Greedy, Scored
from germane.testing import PolicyContract


class TestEpsilonGreedy(PolicyContract):
    policy = EpsilonGreedy(epsilon=0.3)


class TestOnlyChance(PolicyContract):
    policy = EpsilonGreedy(epsilon=1.0)
    draws = 5_000


def test_known_chances():
    scored = Scored(np.arange(4), np.array([4.0, 3.0, 2.0, 1.0]))
    chances = EpsilonGreedy(epsilon=0.2).chance(scored, np.array([0, 3, 1, 2]))
    np.testing.assert_allclose(chances, [0.8 + 0.2 / 4, 0.2 / 3, 0.8 + 0.2 / 2, 1.0])


def test_epsilon_zero_is_greedy():
    rng = np.random.default_rng(0)
    scored = Scored(np.arange(30), rng.normal(size=30))
    choice, greedy = EpsilonGreedy(epsilon=0).choose(scored, 10, rng), Greedy().choose(scored, 10, rng)
    np.testing.assert_array_equal(choice.places, greedy.places)
    np.testing.assert_array_equal(choice.propensities, greedy.propensities)


def test_a_share_epsilon_of_places_goes_by_chance():
    rng = np.random.default_rng(0)
    scored = Scored(np.arange(10_000), -np.arange(10_000.0))
    first = np.array([EpsilonGreedy(epsilon=0.25).choose(scored, 1, rng).places[0] for _ in range(4_000)])
    assert abs((first != 0).mean() - 0.25) < 0.03


@pytest.mark.parametrize("epsilon", [-0.1, 1.5, "often", float("nan")])
def test_epsilon_out_of_range(epsilon):
    with pytest.raises(ConfigError, match="EpsilonGreedy option epsilon"):
        EpsilonGreedy(epsilon=epsilon)
