"""What every policy must keep to."""

from __future__ import annotations

import itertools
import json

import numpy as np

from ..policies.base import Policy, Scored
from ..types import Feedback

__all__ = ["PolicyContract"]

WIDTH = 3


class PolicyContract:
    """Tests for a policy, brought by inheritance.

    class TestMine(PolicyContract):
        policy = Mine(temperature=0.5)
    """

    policy: Policy
    draws = 20_000
    tolerance = 0.02
    """How far frequencies may lie from propensities that are estimated; exact ones must agree within 5 standard errors."""

    @staticmethod
    def scored(candidates: int, seed: int = 0) -> Scored:
        rng = np.random.default_rng([seed, candidates])
        return Scored(
            items=rng.permutation(10 * candidates + 10)[:candidates].astype(np.int64),
            scores=rng.normal(size=candidates),
            query=rng.normal(size=WIDTH).astype(np.float32),
            vectors=rng.normal(size=(candidates, WIDTH)).astype(np.float32),
        )

    def test_places_are_different_candidates(self) -> None:
        scored = self.scored(50)
        for seed in range(20):
            choice = self.policy.choose(scored, 10, np.random.default_rng(seed))
            assert len(choice.places) == len(choice.propensities) == 10
            assert len(set(choice.places.tolist())) == 10
            assert choice.places.min() >= 0 and choice.places.max() < 50

    def test_propensities_are_above_zero_and_at_most_one(self) -> None:
        for seed in range(20):
            choice = self.policy.choose(self.scored(50, seed), 10, np.random.default_rng(seed))
            assert (choice.propensities > 0).all() and (choice.propensities <= 1).all()

    def test_chance_agrees_with_what_was_stated(self) -> None:
        scored = self.scored(50)
        for seed in range(20):
            choice = self.policy.choose(scored, 10, np.random.default_rng(seed))
            off = 1e-12 if self.policy.propensity_kind == "exact" else self.tolerance
            np.testing.assert_allclose(self.policy.chance(scored, choice.places), choice.propensities, rtol=off, atol=off)

    def test_chances_sum_to_one_over_the_candidates_left(self) -> None:
        scored = self.scored(6)
        above = [4, 1]
        chances = [self.policy.chance(scored, np.array([*above, last]))[-1] for last in range(6) if last not in above]
        np.testing.assert_allclose(sum(chances), 1.0, atol=1e-12 if self.policy.propensity_kind == "exact" else 4 * self.tolerance)

    def test_frequencies_agree_with_propensities(self) -> None:
        scored = self.scored(4)
        rng = np.random.default_rng(1)
        drawn = np.array([self.policy.choose(scored, 3, rng).places for _ in range(self.draws)])
        for slate in itertools.permutations(range(4), 3):
            stated = float(np.prod(self.policy.chance(scored, np.array(slate))))
            seen = float((drawn == slate).all(1).mean())
            off = 5 * np.sqrt(stated * (1 - stated) / self.draws) if self.policy.propensity_kind == "exact" else self.tolerance
            assert abs(seen - stated) <= off + 1e-9, f"slate {slate}: drawn {seen:.4f} of the time, stated {stated:.4f}"

    def test_same_seed_same_slate(self) -> None:
        scored = self.scored(50)
        first, second = (self.policy.choose(scored, 10, np.random.default_rng(7)) for _ in range(2))
        np.testing.assert_array_equal(first.places, second.places)
        np.testing.assert_array_equal(first.propensities, second.propensities)

    def test_does_not_change_its_input(self) -> None:
        scored = self.scored(20)
        items, scores = scored.items.copy(), scored.scores.copy()
        self.policy.choose(scored, 10, np.random.default_rng(0))
        np.testing.assert_array_equal(scored.items, items)
        np.testing.assert_array_equal(scored.scores, scores)

    def test_more_places_than_candidates(self) -> None:
        choice = self.policy.choose(self.scored(5), 1000, np.random.default_rng(0))
        assert sorted(choice.places.tolist()) == [0, 1, 2, 3, 4]

    def test_one_candidate(self) -> None:
        choice = self.policy.choose(self.scored(1), 10, np.random.default_rng(0))
        assert choice.places.tolist() == [0]
        np.testing.assert_allclose(choice.propensities, [1.0], atol=1e-12)

    def test_no_candidates(self) -> None:
        choice = self.policy.choose(self.scored(0), 10, np.random.default_rng(0))
        assert len(choice.places) == len(choice.propensities) == 0

    def test_equal_scores(self) -> None:
        scored = Scored(np.arange(9), np.zeros(9), np.zeros(WIDTH, np.float32), np.zeros((9, WIDTH), np.float32))
        choice = self.policy.choose(scored, 9, np.random.default_rng(0))
        assert sorted(choice.places.tolist()) == list(range(9))
        np.testing.assert_allclose(choice.propensities[-1], 1.0)

    def test_takes_feedback_in_silence(self) -> None:
        self.policy.update([Feedback("r1", "i1", 1.0)])
        self.policy.update([])

    def test_options_survive_saving(self) -> None:
        settings = json.loads(json.dumps(self.policy.settings()))
        assert type(self.policy).from_options(settings).options == self.policy.options
