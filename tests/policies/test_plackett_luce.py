from __future__ import annotations

import time

import numpy as np
import pytest

from germane.errors import ConfigError
from germane.policies import Greedy, PlackettLuce, Scored
from germane.testing import PolicyContract


class TestPlackettLuce(PolicyContract):
    policy = PlackettLuce(temperature=0.7)


class TestPlackettLuceWithFloor(PolicyContract):
    policy = PlackettLuce(temperature=0.5, epsilon=0.2)


def test_known_chances():
    scored = Scored(np.arange(3), np.log([1.0, 2.0, 7.0]))
    np.testing.assert_allclose(PlackettLuce().chance(scored, np.array([2, 0, 1])), [0.7, 1 / 3, 1.0])
    np.testing.assert_allclose(PlackettLuce(epsilon=0.1).chance(scored, np.array([2, 0])), [0.9 * 0.7 + 0.1 / 3, 0.9 / 3 + 0.1 / 2])


def test_adding_a_constant_changes_nothing():
    rng = np.random.default_rng(0)
    scores, places = rng.normal(size=40), rng.permutation(40)[:10]
    for shift in (1e3, -1e3):
        np.testing.assert_allclose(
            PlackettLuce().chance(Scored(np.arange(40), scores + shift), places),
            PlackettLuce().chance(Scored(np.arange(40), scores), places),
            rtol=1e-9,
        )


def test_cold_is_greedy_and_hot_is_uniform():
    rng = np.random.default_rng(0)
    scored = Scored(np.arange(20), rng.normal(size=20))
    cold = PlackettLuce(temperature=1e-6).choose(scored, 20, rng)
    np.testing.assert_array_equal(cold.places, Greedy().choose(scored, 20, rng).places)
    np.testing.assert_allclose(cold.propensities, 1.0)
    np.testing.assert_allclose(PlackettLuce(temperature=1e9).chance(scored, np.arange(20)), 1 / (20 - np.arange(20)), rtol=1e-6)


def test_no_cancellation_after_one_that_takes_nearly_everything():
    # exp(-60) of the mass is left after the first place: subtracting from a total would lose it.
    scored = Scored(np.arange(4), np.array([60.0, 0.0, 0.0, 0.0]))
    np.testing.assert_allclose(PlackettLuce().chance(scored, np.array([0, 1, 2, 3])), [1, 1 / 3, 1 / 2, 1])


def test_never_states_zero():
    scored = Scored(np.arange(3), np.array([0.0, -1e6, -1e300]))
    chances = PlackettLuce().chance(scored, np.array([2, 1, 0]))
    assert (chances > 0).all() and (chances <= 1).all()
    assert PlackettLuce(epsilon=0.3).chance(scored, np.array([2]))[0] == pytest.approx(0.1)


def test_a_large_catalogue_is_quick():
    rng = np.random.default_rng(0)
    scored = Scored(np.arange(100_000), 5 * rng.normal(size=100_000))
    for policy in (PlackettLuce(), PlackettLuce(epsilon=0.05)):
        started = time.perf_counter()
        choice = policy.choose(scored, 1000, rng)
        assert time.perf_counter() - started < 1  # about 10 ms
        assert (choice.propensities > 0).all()
        np.testing.assert_allclose(policy.chance(scored, choice.places), choice.propensities, rtol=1e-12)


@pytest.mark.parametrize("options", [{"temperature": 0}, {"temperature": -1}, {"epsilon": 2}, {"epsilon": -0.1}])
def test_options_out_of_range(options):
    with pytest.raises(ConfigError, match=f"PlackettLuce option {next(iter(options))}"):
        PlackettLuce(**options)


def test_misspelt_option():
    with pytest.raises(ConfigError, match="Did you mean temperature"):
        PlackettLuce(temprature=1)
