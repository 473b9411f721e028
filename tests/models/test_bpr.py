from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from germane.errors import ConfigError
from germane.models import BPR
from germane.types import Query

SMALL = {"factors": 4, "iterations": 300, "learning_rate": 0.1}


def by_hand(user: torch.Tensor, model: BPR) -> list[float]:
    return (model.factors @ user + model.bias).tolist()


def test_known_users_have_the_vector_of_training_and_others_the_mean_of_their_items(tiny) -> None:
    asked = tiny(BPR(**SMALL))
    model = asked.model
    own = by_hand(model.users[asked.dataset.user_index["a"]], model)
    assert list(asked.scores(user="a").values()) == pytest.approx(own, abs=1e-6)
    assert list(asked.scores(["x"], user="a").values()) == pytest.approx(own, abs=1e-6)  # whatever happened since
    mean = by_hand(model.factors[:2].mean(0), model)
    assert list(asked.scores(["v", "nobody's", "w"]).values()) == pytest.approx(mean, abs=1e-6)  # an item without a vector tells nothing
    assert list(asked.scores([]).values()) == pytest.approx(model.bias.tolist(), abs=1e-6)


def test_what_a_user_took_stands_above_what_not(tiny) -> None:
    asked = tiny(BPR(**SMALL))
    assert asked.scores(user="a")["w"] > asked.scores(user="a")["x"]
    assert asked.scores(user="c")["x"] > asked.scores(user="c")["w"]
    assert asked.scores(user="a")["nobody's"] == 0


def test_popularity_is_a_reason_of_its_own(tiny) -> None:
    asked = tiny(BPR(**SMALL))
    parts = asked.model.reasons(asked.shop.batch([Query(user="b")]), torch.tensor([[0, 2]]))
    assert parts["popularity"][0].tolist() == pytest.approx(asked.model.bias[[0, 2]].tolist())
    assert parts["history"][0, 0] > parts["history"][0, 1]


def test_a_user_who_came_after_training_is_scored_by_the_history(tiny) -> None:
    asked = tiny(BPR(**SMALL))
    stranger = asked.shop.batch([Query(history=("v",))])
    later = replace(stranger, users=torch.tensor([3]))  # training knew three
    assert torch.equal(asked.model.score(later), asked.model.score(stranger))


@pytest.mark.parametrize("wrong", [{"factors": 0}, {"l2": -1}, {"learning_rate": 0}, {"iterations": 0}])
def test_options_out_of_range(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=f"BPR option {next(iter(wrong))}"):
        BPR(**wrong)
