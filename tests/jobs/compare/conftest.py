from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from germane.config import Config
from germane.jobs.run import train_run


@pytest.fixture(scope="session")
def pair(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """One that learnt nothing to speak of and one that learnt; some items kept out of training."""
    folder = tmp_path_factory.mktemp("pair") / "[of runs]"
    sections: dict[str, Any] = {
        "data": {
            "events": "events.csv",
            "items": "items.csv",
            "columns": {"user": "user", "item": "item", "time": "time", "context": ["weather"], "text": ["title"]},
            "rules": {"hold_out_items": 8},
        },
        "text": {"use": "HashedText", "width": 32},
        "model": {"width": 8, "blocks": 1, "length": 8, "co_occurrence": 0.0},  # all that is known is learnt
        "evaluation": {"exclude_seen": False, "variants": ["context shuffled"], "baselines": ["Popular", "PopularLately"]},
    }
    before = Config.of({**sections, "text": {"use": "NoText"}, "training": {"epochs": 1, "learning_rate": 1e-5}}, shop)
    after = Config.of({**sections, "training": {"epochs": 12, "learning_rate": 0.02, "warmup": 1}}, shop)
    return train_run(before, folder / "before")[0], train_run(after, folder / "after")[0]


@pytest.fixture
def another(pair: tuple[Path, Path], tmp_path: Path) -> Callable[..., Path]:
    """The first run again with some sections changed."""
    import tomllib

    said = tomllib.loads((pair[0] / "config.toml").read_text())

    def make(name: str, **sections: dict[str, Any]) -> Path:
        changed = {**said, **{key: {**said.get(key, {}), **value} for key, value in sections.items()}}
        return train_run(Config.of(changed, pair[0]), tmp_path / name)[0]

    return make


@pytest.fixture(scope="session")
def rated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two that guess stars and make no lists; the second learnt."""
    folder = tmp_path_factory.mktemp("rated")
    rows = [(f"u{user}", f"i{item}", 1 + item % 5) for user in range(30) for item in range(user % 3, 24, 2)]
    pl.DataFrame(rows, schema=["user", "item", "stars"], orient="row").write_csv(folder / "stars.csv")
    sections: dict[str, Any] = {
        "data": {"events": "stars.csv", "columns": {"user": "user", "item": "item", "value": "stars"}},
        "split": {"use": "Random", "validation": 0.1, "test": 0.3},
        "model": {"use": "BiasedMF", "width": 8},
        "evaluation": {"k": [], "variants": [], "segments": ["all", "sparse users"], "baselines": [{"use": "BiasedMF", "width": 4, "l2": 100.0}]},
    }

    def train(name: str, **training: object) -> Path:
        said = {**sections, "training": {"heads": {"rating": 1.0}, "warmup": 1, "batch": 32, **training}}
        return train_run(Config.of(said, folder), folder / name)[0]

    return train("guess", epochs=1, learning_rate=1e-5), train("learnt", epochs=10, learning_rate=0.03)
