"""Second models by themselves."""

from __future__ import annotations

import sys

import pytest
import torch

from germane.errors import AbilityError, ConfigError, RunError
from germane.models.rankers import BoostedTrees, CrossNetwork, boosted_trees
from germane.models.rankers.base import likeliest_weight
from germane.testing import RankerContract
from germane.testing.ranker_contract import lessons


class TestBoostedTrees(RankerContract):
    ranker = BoostedTrees(min_rows=10, columns=1.0, learning_rate=0.1)


class TestLambdaMART(RankerContract):
    ranker = BoostedTrees(objective="lambdarank", min_rows=10, columns=1.0, learning_rate=0.1)


class TestCrossNetwork(RankerContract):
    ranker = CrossNetwork(learning_rate=1e-2, layers=(16,))


class TestBareCrossNetwork(RankerContract):
    """Nothing but the numbers and categories themselves: a sum, which cannot see two together."""

    ranker = CrossNetwork(crosses=0, layers=(), epochs=2)
    learns = False


def test_the_weight_of_the_first_score_is_the_likeliest() -> None:
    """Scores that were drawn with a known sharpness are told to have it; noise is told to weigh next to nothing."""
    given = lessons(4000)
    rng = torch.Generator().manual_seed(0)
    chances = (3.0 * given.pairs.first).masked_fill(~given.pairs.there, -torch.inf).softmax(1)
    drawn = type(given)(given.pairs, torch.multinomial(chances, 1, generator=rng)[:, 0], given.weights, given.users)
    assert likeliest_weight(drawn) == pytest.approx(3, rel=0.2)
    assert likeliest_weight(given) < 0.1


def test_a_figure_by_hand() -> None:
    given = lessons(3)
    scores = torch.zeros(given.pairs.there.shape)
    scores[0, given.targets[0]] = 1  # first; elsewhere all tie, which counts against the target
    told = given.ndcg(scores)
    ranks = given.pairs.there.sum(1)
    by_hand = [1.0, *(1 / torch.log2(rank + 1.0) if rank <= 10 else 0.0 for rank in ranks[1:])]
    assert told == pytest.approx(sum(map(float, by_hand)) / 3)
    lost = type(given)(given.pairs, torch.tensor([-1, -1, -1]), given.weights, given.users)
    assert lost.ndcg(scores) == 0 and len(lost.found()) == 0


def test_without_the_library_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    saved = BoostedTrees(trees=2, min_rows=5)
    saved.learn(lessons(), lessons(seed=1), 0)
    monkeypatch.setattr(boosted_trees, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    for asks in (BoostedTrees().check, lambda: BoostedTrees().load_state(saved.state())):
        with pytest.raises(AbilityError, match=r"grown by the library lightgbm.*pip install 'germane\[trees\]'"):
            asks()


def test_trees_that_cannot_be_read_are_damage() -> None:
    with pytest.raises(RunError, match="trees cannot be read"):
        BoostedTrees().load_state({"text": torch.tensor(list(b"no trees"), dtype=torch.uint8), "weight": torch.tensor(1.0)})


@pytest.mark.parametrize("wrong", [{"trees": 0}, {"leaves": 1}, {"objective": "mse"}, {"columns": 0}, {"patience": 0}])
def test_trees_out_of_range(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=f"BoostedTrees option {next(iter(wrong))}"):
        BoostedTrees(**wrong)


@pytest.mark.parametrize("wrong", [{"width": 0}, {"dropout": 1.0}, {"epochs": 0}, {"learning_rate": 0}, {"batch": 0}])
def test_networks_out_of_range(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=f"CrossNetwork option {next(iter(wrong))}"):
        CrossNetwork(**wrong)
