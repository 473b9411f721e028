"""What is stated is what happens: over many slates, and over many queries at once."""

from __future__ import annotations

import inspect
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from germane import policies
from germane.component import exported
from germane.policies import EpsilonGreedy, PlackettLuce, Policy, Scored

EXPLORING = [EpsilonGreedy(epsilon=0.2), PlackettLuce(), PlackettLuce(temperature=0.5, epsilon=0.1)]


@pytest.mark.parametrize("policy", EXPLORING, ids=repr)
def test_100_000_slates(policy):
    draws = 100_000
    scored = Scored(np.array([5, 3, 8, 1, 9]), np.array([1.0, 0.2, 0.2, -1.0, 2.0]))
    rng = np.random.default_rng(0)
    slates = np.array([policy.choose(scored, 2, rng).places for _ in range(draws)])
    counts = np.bincount(slates[:, 0] * 5 + slates[:, 1], minlength=25)
    statistic = 0.0
    for pair in itertools.permutations(range(5), 2):
        expected = draws * policy.chance(scored, np.array(pair)).prod()
        statistic += (counts[pair[0] * 5 + pair[1]] - expected) ** 2 / expected
    assert statistic < 45.0  # chi squared with 19 degrees of freedom: p = .0007


@pytest.mark.parametrize("policy", EXPLORING, ids=repr)
def test_inverse_propensities_count_the_slates(policy):
    """The mean of 1 / (chance of the slate) is the number of slates: what off-policy estimates rest on."""
    scored = Scored(np.arange(5), np.array([0.3, 0.1, 0.0, -0.2, 0.2]))
    rng = np.random.default_rng(1)
    weights = [1 / policy.choose(scored, 2, rng).propensities.prod() for _ in range(10_000)]
    assert np.mean(weights) == pytest.approx(20, abs=5 * np.std(weights) / 100)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.integers(1, 40), st.integers(0, 2**32), st.sampled_from(EXPLORING))
def test_any_scores(scores, n, seed, policy):
    scored = Scored(np.arange(len(scores)), np.array(scores))
    choice = policy.choose(scored, n, np.random.default_rng(seed))
    assert len(set(choice.places.tolist())) == min(n, len(scores))
    assert ((choice.propensities > 0) & (choice.propensities <= 1)).all()
    np.testing.assert_allclose(policy.chance(scored, choice.places), choice.propensities, rtol=1e-12)


def test_every_policy_explains_itself():
    for name, policy in exported(policies, Policy).items():
        assert ">>>" in inspect.getdoc(policy), f"{name} needs an example"
