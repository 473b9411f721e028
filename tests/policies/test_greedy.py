from __future__ import annotations

import numpy as np
import pytest

from germane.errors import ConfigError, GermaneError
from germane.policies import Greedy, Scored
from germane.testing import PolicyContract


class TestGreedy(PolicyContract):
    policy = Greedy()
    draws = 200


def test_best_first():
    scored = Scored(np.array([10, 11, 12, 13]), np.array([0.1, 0.9, 0.5, -2.0]))
    choice = Greedy().choose(scored, 3, np.random.default_rng(0))
    assert choice.places.tolist() == [1, 2, 0]
    assert choice.propensities.tolist() == [1, 1, 1]


def test_of_equals_the_lower_code_first():
    scored = Scored(np.array([9, 3, 7, 1]), np.array([1.0, 1.0, 2.0, 1.0]))
    for n, expected in [(1, [2]), (2, [2, 3]), (3, [2, 3, 1]), (4, [2, 3, 1, 0])]:
        assert Greedy().choose(scored, n, np.random.default_rng(0)).places.tolist() == expected


def test_chance_of_another_slate():
    scored = Scored(np.arange(4), np.array([4.0, 3.0, 2.0, 1.0]))
    # 1 is not the best; then 0 is the best left; then 2; 3 is all that is left.
    assert Greedy().chance(scored, np.array([1, 0, 2, 3])).tolist() == [0, 1, 1, 1]


def test_agrees_with_a_full_sort():
    rng = np.random.default_rng(3)
    for _ in range(200):
        size = int(rng.integers(1, 30))
        scored = Scored(rng.permutation(100)[:size], rng.integers(0, 5, size).astype(float))
        n = int(rng.integers(1, 35))
        expected = sorted(range(size), key=lambda k: (-scored.scores[k], scored.items[k]))[:n]
        assert Greedy().choose(scored, n, rng).places.tolist() == expected


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_scores_that_are_no_numbers_are_refused(wrong):
    with pytest.raises(GermaneError, match=r"item code 8 is .*: leave out what may not be shown"):
        Scored(np.array([7, 8]), np.array([0.0, wrong]))


def test_one_score_for_each_candidate():
    with pytest.raises(GermaneError, match="one score for each candidate"):
        Scored(np.array([7, 8]), np.array([0.0]))


@pytest.mark.parametrize("places", [[0, 0], [0, 2], [-1]])
def test_places_that_are_no_slate_are_refused(places):
    with pytest.raises(GermaneError, match="place"):
        Greedy().chance(Scored(np.array([7, 8]), np.array([0.0, 1.0])), np.array(places))


def test_has_no_options():
    with pytest.raises(ConfigError, match="Greedy has no option 'epsilon'"):
        Greedy(epsilon=0.1)
