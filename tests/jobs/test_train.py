from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import germane
from germane.config import Config
from germane.data import ByTime
from germane.errors import ConfigError, DataError
from germane.models import Popular
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
