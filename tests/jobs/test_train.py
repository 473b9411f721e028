from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import germane
from germane.config import Config
from germane.data import ByTime
from germane.errors import ConfigError, DataError
from germane.evaluation import EvaluationOptions
from germane.models import Popular
from germane.policies import Greedy
from germane.training import TrainingOptions


def test_a_config_says_all_or_what_is_given_goes_before_it(config: Callable[..., Config], tmp_path: Path) -> None:
    said = config(split={"use": "Random", "seed": 3}, training={"epochs": 1}, evaluation={"exclude_seen": False}, policy={"use": "PlackettLuce"})
    dataset = said.dataset()
    trained = germane.train(said, dataset)
    assert trained.exclude_seen is False and repr(trained.policy) == "PlackettLuce()" and trained.split is not None
    assert trained.split.name == said.split.divide(dataset).name != "leave-last-out"
    (tmp_path / "shop.toml").write_text(said.dump())
    again = germane.train(tmp_path / "shop.toml", dataset)
    assert germane.evaluate(again, dataset).rows == germane.evaluate(trained, dataset).rows
    other = germane.train(str(tmp_path / "shop.toml"), dataset, split=ByTime(), training=TrainingOptions(epochs=2))
    assert other.split is not None and other.split.name == "by-time"


def test_where_all_that_is_held_out_was_taken_before_the_table_says_so() -> None:
    rows = [(f"u{user}", f"i{item}", 10.0 * place) for user in range(6) for place, item in enumerate((user, user + 1, user + 2, user))]
    again = germane.Dataset.from_frames(pl.DataFrame(rows, schema=["user", "item", "time"], orient="row"), columns={"time": "time"})
    trained = germane.train(germane.Recommender(Popular()), again)
    judged = germane.evaluate(trained, again)
    assert str(judged) == "all 6 held-out events were left out of lists: their users took these items before; exclude_seen = false judges them"
    assert germane.evaluate(trained, again, options=EvaluationOptions(exclude_seen=False)).rows[0]["n"] == 6
    assert str(germane.evaluate(trained, again, options=EvaluationOptions(k=[]))) == "no held-out events to judge"


def test_what_is_neither_config_nor_recommender(config: Callable[..., Config]) -> None:
    dataset = config().dataset()
    with pytest.raises(ConfigError, match=r"got a Popular: give the path .* germane\.Recommender\(Popular"):
        germane.train(Popular(), dataset)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="got a dict: give the path of a config"):
        germane.train({"model": {}}, dataset)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"ghost\.toml is not there"):
        germane.train("ghost.toml", dataset)
    with pytest.raises(DataError, match="got a str as its dataset"):
        germane.train(germane.Recommender(Popular()), "events.csv")  # type: ignore[arg-type]


def test_only_what_is_held_out_is_judged(config: Callable[..., Config]) -> None:
    dataset = config().dataset()
    trained = germane.train(germane.Recommender(Popular()), dataset)
    for part, said in (("tst", "Did you mean test"), ("validatoin", "Did you mean validation"), ("train", "choose test or validation")):
        with pytest.raises(ConfigError, match=said):
            germane.evaluate(trained, dataset, part=part)


@pytest.mark.parametrize(
    ("parts", "given", "said"),
    [
        ({"model": Popular}, {}, r"got .*Popular.* as Recommender\(model\), which is no Model: give Popular\(…\)"),
        ({"text": "HashedText"}, {}, r"as Recommender\(text=…\), which is no Encoder: give an object"),
        ({"policy": Greedy}, {}, r"which is no Policy: give Greedy\(…\)"),
        ({}, {"training": {"epochs": 1}}, r"as training, which is no TrainingOptions: give one, such as TrainingOptions\(…\)"),
        ({}, {"split": "ByTime"}, "as split, which is no Splitter"),
    ],
)
def test_parts_of_other_kinds_are_refused_before_training(
    config: Callable[..., Config], parts: dict[str, Any], given: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        germane.train(germane.Recommender(**{"model": Popular(), **parts}), config().dataset(), **given)


def test_figures_that_are_not_there_are_told(config: Callable[..., Config]) -> None:
    dataset = config().dataset()
    judged = germane.evaluate(germane.train(germane.Recommender(Popular()), dataset), dataset)
    assert 0 <= judged.value("ndcg@10") <= 1
    with pytest.raises(DataError, match=r"all was not judged by 'ndcg@7': there are ndcg@10, "):
        judged.value("ndcg@7")
    with pytest.raises(DataError, match=r"no row is of the segment 'newitems': there are all, "):
        judged.value(segment="newitems")
