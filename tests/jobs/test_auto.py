from __future__ import annotations

import json
import tomllib
from pathlib import Path

import polars as pl
import pytest

import germane
from germane.config import Config
from germane.errors import ConfigError, RunError, TrainingError
from germane.jobs.auto import _final, auto
from germane.jobs.search import Found
from germane.jobs.search.study import Attempt
from germane.testing.model_contract import small_shop

SMALL = ("text.use=HashedText", "text.width=16", "model.width=8", "model.text_width=8", "training.epochs=2", "evaluation.baselines=['Popular']")


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    dataset = small_shop()
    users, items = dataset.users["id"], dataset.items["id"]
    dataset.events.select(
        users.gather(dataset.events["user"]).alias("customer"),
        items.gather(dataset.events["item"]).alias("sku"),
        pl.col("time").alias("bought_at"),
        pl.col("context:weather").alias("weather"),
    ).write_csv(tmp_path / "events.csv")
    dataset.items.rename({"id": "sku"}).write_csv(tmp_path / "items.csv")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_from_tables_to_a_run_that_recommends(shop: Path) -> None:
    said: list[str] = []
    made = auto("events.csv", "items.csv", run="runs/first", trials=2, sets=SMALL, said=said.append)
    assert made.guess.columns["item"] == "sku" and made.guess.columns["context"] == ["weather"]
    assert made.judged.rows[0]["split"] == "test" and made.found.own is not None
    recommender = germane.load("runs/first")
    assert len(recommender.recommend(germane.Query(user="u1", context={"weather": "rain"}), n=3).items) == 3
    text = (shop / "runs" / "first" / "config.toml").read_text()
    config = tomllib.loads(text)
    assert config["model"]["width"] == 8 and config["training"]["refit"] is True and "search" not in config  # what was set stays
    assert config["training"]["epochs"] == made.found.best.epochs
    assert "# 24 items: learned against all of them (softmax)." in text and "2 settings were tried on validation" in text
    assert any("kept for training the winner" in line for line in said)
    assert json.loads((shop / "runs" / "first" / "about.json").read_text())["data"]["folder"] == str(shop)
    assert sorted(path.name for path in (shop / "runs").iterdir()) == ["first"]


def test_nothing_half_written_is_left(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        assert (shop / "run.partial").is_dir()
        raise KeyboardInterrupt

    monkeypatch.setattr("germane.jobs.run.fit", stop)
    with pytest.raises(KeyboardInterrupt):
        auto("events.csv", "items.csv", run="run", trials=1, sets=SMALL)
    assert sorted(path.name for path in shop.iterdir()) == ["events.csv", "items.csv"]


def test_where_the_winner_cannot_be_saved_nothing_is_promised(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise RunError("run could not be written (No space left on device); make room.")

    monkeypatch.setattr("germane.jobs.run.save", full)
    with pytest.raises(RunError, match=r"make room\.$"):
        auto("events.csv", "items.csv", run="run", trials=1, sets=SMALL)
    assert sorted(path.name for path in shop.iterdir()) == ["events.csv", "items.csv"]


def test_bad_input_is_one_sentence(shop: Path) -> None:
    with pytest.raises(ConfigError, match="no option 'widht'"):
        auto("events.csv", run="run", sets=["model.widht=3"])
    with pytest.raises(ConfigError, match="--trials 0"):
        auto("events.csv", run="run", trials=0)
    with pytest.raises(TrainingError, match=r"the time ended before .* give more by --time\.$"):  # nothing is kept to go on with
        auto("events.csv", "items.csv", run="run", sets=SMALL, seconds=1e-9)
    (shop / "other.partial").mkdir()
    with pytest.raises(RunError, match="left from an interrupted"):
        auto("events.csv", run="other")
    (shop / "run").mkdir()
    with pytest.raises(RunError, match="add --replace"):
        auto("events.csv", run="run")
    assert (shop / "other.partial").exists()


def test_a_training_that_began_meanwhile_is_left_alone(shop: Path) -> None:
    def begin(done: int, of: int) -> None:
        (shop / "run.partial").mkdir(exist_ok=True)

    with pytest.raises(RunError, match="left from an interrupted"):
        auto("events.csv", "items.csv", run="run", trials=1, sets=SMALL, tried=begin)
    assert (shop / "run.partial").is_dir()


@pytest.mark.parametrize(("training", "epochs"), [({"epochs": 9}, 4), ({"epochs": 9, "swa": 0.5}, 9)])
def test_the_winner_is_trained_for_its_epochs_where_nothing_else_hangs_on_them(training: dict[str, object], epochs: int) -> None:
    sections = {"data": {"events": "e.csv"}, "training": training}
    best = Attempt(0, "done", True, {}, 0.5, 4, 1.0)
    assert _final(sections, Found(Path(), "ndcg@10", False, [best], best, {}, Config.of(sections, Path())), ["Made."]).training.epochs == epochs
