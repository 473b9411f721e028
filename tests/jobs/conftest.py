from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import germane
from germane.config import Config
from germane.encoders import HashedText
from germane.models import ContextTransformer
from germane.policies import EpsilonGreedy
from germane.recommender import Recommender
from germane.testing.model_contract import small_shop
from germane.training import TrainingOptions


@pytest.fixture(scope="session")
def trained() -> Recommender:
    model = ContextTransformer(width=16, blocks=1, length=10, text_width=8)
    recommender = Recommender(model, text=HashedText(width=32), policy=EpsilonGreedy(epsilon=0.5), seed=4)
    return germane.train(recommender, small_shop(), training=TrainingOptions(epochs=1))


@pytest.fixture(scope="session")
def run(trained: Recommender, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return germane.save(trained, tmp_path_factory.mktemp("runs") / "shop")


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small shop's tables as files."""
    folder = tmp_path_factory.mktemp("shop")
    dataset = small_shop()
    users, items = dataset.users["id"], dataset.items["id"]
    dataset.events.select(
        users.gather(dataset.events["user"]).alias("user"),
        items.gather(dataset.events["item"]).alias("item"),
        "time",
        pl.col("context:weather").alias("weather"),
    ).write_csv(folder / "events.csv")
    dataset.items.rename({"id": "item"}).write_csv(folder / "items.csv")
    return folder


@pytest.fixture
def config(shop: Path) -> Callable[..., Config]:
    """A tiny training on it; each section given is laid over it."""

    def make(**sections: dict[str, object]) -> Config:
        said: dict[str, Any] = {
            "data": {
                "events": "events.csv",
                "items": "items.csv",
                "columns": {"user": "user", "item": "item", "time": "time", "context": ["weather"], "text": ["title"]},
            },
            "split": {"use": "LeaveLastOut"},
            "text": {"use": "HashedText", "width": 32},
            "model": {"width": 8, "blocks": 1, "length": 8},
            "training": {"epochs": 3, "batch": 8, "warmup": 1},
            "evaluation": {"variants": []},
        }
        for name, section in sections.items():
            said[name] = {**said.get(name, {}), **section} if isinstance(section, dict) else section
        return Config.of(said, shop)

    return make
