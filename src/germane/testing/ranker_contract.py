"""What every second model keeps to. Inherit it in three lines: ``class TestMine(RankerContract): ranker = Mine(...)``."""

from __future__ import annotations

import numpy as np
import torch

from ..models.candidate_features import Candidates
from ..models.rankers import Lessons, Ranker

__all__ = ["RankerContract", "lessons"]

PLACES, CODES = 12, 5


def lessons(cases: int = 120, seed: int = 0) -> Lessons:
    """What is taken is told by the second number and the only category together; the first model's score is noise. Some places are empty."""
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(cases, PLACES, 3))
    codes = rng.integers(0, CODES, size=(cases, PLACES, 1))
    there = rng.random((cases, PLACES)) < 0.9
    there[:, :2] = True
    worth = np.where(there, np.where(codes[..., 0] == 1, -1, 1) * numbers[..., 1], -np.inf)
    pairs = Candidates(
        items=torch.from_numpy(rng.permuted(np.tile(np.arange(40), (cases, 1)), axis=1)[:, :PLACES]),
        there=torch.from_numpy(there),
        first=torch.from_numpy(numbers[..., 0]).float(),
        numbers=torch.from_numpy(numbers).float(),
        codes=torch.from_numpy(codes).int(),
        n_codes=CODES,
    )
    return Lessons(pairs, torch.from_numpy(worth.argmax(1)), torch.ones(cases), np.arange(cases) // 3)


class RankerContract:
    """It keeps the first order before it learns, finds what is to be found, scores places one by one, and comes back from its state."""

    ranker: Ranker
    learns = True
    """Whether it is of a size to find what the lessons hold."""

    def taught(self, seed: int = 0) -> Ranker:
        ranker = self.fresh()
        rounds = ranker.learn(lessons(600), lessons(150, 1), seed)
        assert rounds >= 1
        return ranker

    def fresh(self) -> Ranker:
        return type(self.ranker)(**self.ranker.options.model_dump())

    def scores(self, ranker: Ranker, pairs: Candidates) -> torch.Tensor:
        with torch.inference_mode():
            return ranker.score(pairs)

    def test_before_it_learns_the_first_order_stays(self) -> None:
        pairs = lessons().pairs
        scores = self.scores(self.fresh(), pairs)
        assert torch.equal(scores.argsort(dim=1), pairs.first.argsort(dim=1))

    def test_it_learns_where_the_first_is_wrong(self) -> None:
        new = lessons(150, 2)
        before, after = new.ndcg(new.pairs.first), new.ndcg(self.scores(self.taught(), new.pairs))
        assert not self.learns or after > before + 0.2

    def test_a_candidate_is_scored_whoever_stands_beside_it(self) -> None:
        ranker, pairs = self.taught(), lessons(20, 3).pairs
        whole = self.scores(ranker, pairs)
        turned = pairs.at(torch.arange(PLACES).flip(0).expand(20, -1), pairs.there.flip(1))
        for other, same in ((self.scores(ranker, turned).flip(1), pairs.there), (self.scores(ranker, pairs[:7]), pairs.there[:7])):
            torch.testing.assert_close(other[same], whole[: len(other)][same], atol=1e-5, rtol=0)

    def test_same_seed_same_scores(self) -> None:
        pairs = lessons(20, 3).pairs
        assert torch.equal(self.scores(self.taught(), pairs)[pairs.there], self.scores(self.taught(), pairs)[pairs.there])

    def test_what_is_learnt_again_forgets_what_was(self) -> None:
        pairs = lessons(20, 3).pairs
        again = self.taught()
        again.learn(lessons(600), lessons(150, 1), 0)
        assert torch.equal(self.scores(again, pairs)[pairs.there], self.scores(self.taught(), pairs)[pairs.there])

    def test_state_gives_it_back_bit_for_bit(self) -> None:
        ranker, pairs = self.taught(), lessons(20, 3).pairs
        other = self.fresh()
        other.load_state({name: tensor.clone() for name, tensor in ranker.state().items()})
        assert torch.equal(self.scores(other, pairs)[pairs.there], self.scores(ranker, pairs)[pairs.there])
        assert other.state().keys() == ranker.state().keys()

    def test_an_untaught_state_is_taken_back_too(self) -> None:
        other, pairs = self.fresh(), lessons().pairs
        other.load_state(self.fresh().state())
        assert torch.equal(self.scores(other, pairs), self.scores(self.fresh(), pairs))

    def test_empty_places_and_missing_categories_are_harmless(self) -> None:
        pairs = lessons(4, 5).pairs
        pairs = pairs.at(torch.arange(PLACES).expand(4, -1), pairs.there & (torch.arange(4) > 0)[:, None])
        blank = Candidates(**{**vars(pairs), "codes": torch.zeros_like(pairs.codes)})
        for given in (pairs, blank):
            scores = self.scores(self.taught(), given)
            assert scores.shape == (4, PLACES) and bool(scores[given.there].isfinite().all())
