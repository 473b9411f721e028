from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
import torch

from germane.errors import ConfigError, DataError, TrainingError
from germane.jobs.check import check, duration
from germane.jobs.run import train_run
from germane.worlds import Checkerboard


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GERMANE_CACHE", str(tmp_path / "cache"))
    events, items, _ = Checkerboard(users=30, items=20).frames()
    events.write_csv(tmp_path / "events.csv")
    items.write_csv(tmp_path / "items.csv")
    text = f'[data]\nevents = "events.csv"\nitems = "items.csv"\n[data.columns]\nuser = "user"\nitem = "item"\ntext = ["{items.columns[1]}"]\n'
    (tmp_path / "shop.toml").write_text(text + '[text]\nuse = "HashedText"\nwidth = 16\n[model]\nwidth = 8\nblocks = 1\n[training]\nepochs = 3\n')
    return tmp_path / "shop.toml"


def test_what_is_told(shop: Path) -> None:
    stages: list[str] = []
    found = check(shop, doing=stages.append)
    told = json.loads(json.dumps(found.as_json()))
    assert stages == ["reading the data", f"looking at {told['events']:,} events", "timing some steps of the training"]
    assert told["users"] == 30 and told["items"] == 20 and sum(told["split"][part] for part in ("train", "validation", "test")) <= told["events"]
    assert told["estimate"]["epochs"] == 3 and told["estimate"]["texts"] == 20 and told["estimate"]["peak_mb"] > 50
    assert 0 < told["estimate"]["seconds"]["epoch"] < told["estimate"]["seconds"]["train"] < told["estimate"]["seconds"]["total"] < 60
    assert "at most 3 epochs" in str(found) and "30 users" in str(found)


def test_texts_encoded_for_the_timing_stay(shop: Path) -> None:
    first, second = check(shop).estimate, check(shop).estimate
    assert first is not None and second is not None and (first.texts, second.texts) == (20, 0)


def test_counted_models_have_no_epochs(shop: Path) -> None:
    shop.write_text(shop.read_text().replace("width = 8\nblocks = 1", 'use = "ItemNeighbours"'))
    found = check(shop)
    assert found.estimate is not None and found.estimate.epochs == 0 and found.estimate.epoch == 0 and found.estimate.train > 0
    assert "fitting" in str(found)


def test_without_timing_it_only_reads(shop: Path) -> None:
    found = check(shop, timed=False)
    assert found.estimate is None and "estimate" not in found.as_json() and not (shop.parent / "cache").exists()


def test_nothing_is_written_and_chance_goes_on_as_before(shop: Path) -> None:
    before, state = sorted(shop.parent.iterdir()), torch.random.get_rng_state()
    check(shop)
    assert sorted(path for path in shop.parent.iterdir() if path.name != "cache") == [path for path in before if path.name != "cache"]
    assert torch.equal(torch.random.get_rng_state(), state)


def test_faults_come_before_the_timing(shop: Path) -> None:
    with pytest.raises(ConfigError, match="Did you mean width"):
        check(shop, sets=["model.widht=3"])
    with pytest.raises(DataError, match="needs times"):
        check(shop, sets=["split.use=ByTime"])


def test_all_that_training_would_refuse_is_told_at_once(shop: Path) -> None:
    with pytest.raises(DataError, match=r"a rating head learns from values"):
        check(shop, sets=["training.heads={rating = 1.0}"], timed=False)
    sets = ["data.prompt={titl}", "training.heads={rating = 1.0, click = 1.0}", "training.calibrate=platt"]
    with pytest.raises(ConfigError) as caught:
        check(shop, sets=sets, timed=False)
    told = caught.value.faults
    assert len(told) == 3 and "the column 'titl'" in told[0] and "Did you mean title" in told[0] and "rating head" in told[1]
    with pytest.raises(ConfigError, match="the column 'titl'"):
        check(shop, sets=sets[:1])


@pytest.mark.parametrize(
    ("stars", "more", "said"),
    [
        (pl.lit(3), [], "all ratings are 3.0: a rating head needs at least two different ones"),
        (pl.int_range(pl.len()), ["training.rating_loss=ordinal"], "different ratings are no levels"),
    ],
)
def test_ratings_of_which_nothing_can_be_learnt_are_refused_as_training_does(shop: Path, stars: pl.Expr, more: list[str], said: str) -> None:
    pl.read_csv(shop.parent / "events.csv", infer_schema=False).with_columns(stars=stars).write_csv(shop.parent / "events.csv")
    shop.write_text(shop.read_text().replace('item = "item"\n', 'item = "item"\nvalue = "stars"\n'))
    sets = ["training.heads={rating = 1.0}", *more]
    with pytest.raises(DataError, match=said):
        check(shop, sets=sets, timed=False)
    with pytest.raises(DataError, match=said):
        train_run(shop, shop.parent / "run", sets=sets)


def test_a_device_that_is_elsewhere_is_noted(shop: Path) -> None:
    if torch.cuda.device_count() > 7:
        pytest.skip("a machine with eight devices")
    found = check(shop, sets=["training.device=cuda:7"], timed=False)
    assert [note.code for note in found.notes] == ["no_device"] and "device 'cuda:7' is not there" in found.notes[0].detail


@pytest.mark.parametrize(("seconds", "said"), [(0.0, "1 s"), (119.4, "119 s"), (150.0, "2 min"), (7199.0, "120 min"), (9000.0, "2.5 h")])
def test_durations(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_learning_rates_are_tried_on_what_is_thrown_away(shop: Path) -> None:
    before, state = sorted(shop.parent.iterdir()), torch.random.get_rng_state()
    found = check(shop, timed=False, rates=True, sets=["seed=1"])
    (told,) = json.loads(json.dumps(found.as_json()))["learning_rate"]
    assert told["model"] == "ContextTransformer" and 1e-5 <= told["suggestion"] <= told["lowest"] / 10 * 1.05 and len(told["curve"]) > 20
    assert f"try       [training] learning_rate = {told['suggestion']:g}" in str(found)
    assert sorted(path for path in shop.parent.iterdir() if path.name != "cache") == before
    assert torch.equal(torch.random.get_rng_state(), state)
    assert check(shop, timed=False, rates=True, sets=["seed=1"]).as_json()["learning_rate"] == [told]


def test_what_is_counted_has_no_learning_rate(shop: Path) -> None:
    shop.write_text(shop.read_text().replace("width = 8\nblocks = 1", 'use = "ItemNeighbours"'))
    with pytest.raises(TrainingError, match="ItemNeighbours is counted and takes no steps"):
        check(shop, timed=False, rates=True)
