"""What all counted models have in common, beyond the contract."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import germane
from germane.config import Config
from germane.data import NoSplit
from germane.encoders import HashedText
from germane.errors import AbilityError, TrainingError
from germane.jobs.run import train_run
from germane.jobs.train import fit
from germane.models import ALS, BPR, EASE, ContentNeighbours, ItemNeighbours, Model, UserNeighbours
from germane.models.classics import factors
from germane.recommender import Recommender
from germane.training import TrainingOptions
from germane.types import Query
from germane.worlds import Checkerboard

COUNTING = [ItemNeighbours(), UserNeighbours(), EASE(l2=10), ALS(factors=8), BPR(factors=8, iterations=200, learning_rate=0.05)]
MODELS = [*COUNTING, ContentNeighbours(fade=1.0, text_width=32)]
WORLD = Checkerboard(users=40, items=20)


def fitted(model: Model) -> Recommender:
    dataset = WORLD.dataset()
    shop = Recommender(type(model)(**model.settings()), text=HashedText(width=64), features=())
    fit(shop, dataset, NoSplit().divide(dataset), TrainingOptions())
    shop.remember(dataset)
    return shop


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_each_finds_what_is_right(model: Model) -> None:
    shop = fitted(model)
    for user in (f"u{n}" for n in range(40)):
        assert [shop.recommend(Query(user=user), n=1).items[0].item] == WORLD.right(user), user


@pytest.mark.parametrize("model", COUNTING, ids=repr)
def test_strangers_are_scored_by_what_they_bring(model: Model) -> None:
    history = ("i1", "i3", "i5", "i7")
    slate = fitted(model).recommend(Query(user="never seen", history=history), n=6)
    assert {int(place.item[1:]) % 2 for place in slate.items} == {1}


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_a_saved_run_needs_nothing_but_its_tensors(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = fitted(model)
    germane.save(shop, tmp_path / "run")
    monkeypatch.setitem(sys.modules, "implicit", None)  # as where it is not installed
    monkeypatch.setitem(sys.modules, "implicit.cpu.als", None)
    back = germane.load(tmp_path / "run")
    queries = [Query(user="u3"), Query(history=("i2", "i4"))]
    with torch.inference_mode():
        np.testing.assert_array_equal(back.model.score(back.batch(queries)), shop.model.score(shop.batch(queries)))


LIKED = {
    "user": list("aaabbcc"),
    "item": ["v", "x", "w", "v", "w", "v", "x"],
    "time": [1, 2, 3, 4, 5, 6, 7],
    "value": [5, 1, 5, 5, 5, 5, 5],
    "kind": ["buy"] * 7,
}


@pytest.mark.parametrize("model", COUNTING, ids=repr)
def test_events_that_are_no_targets_or_weigh_nothing_are_not_counted(model: Model, tiny) -> None:
    """a looked at x and did not like it."""
    columns = {"value": "value", "kind": "kind"}
    plain = {name: values[:1] + values[2:] for name, values in LIKED.items()}
    expected = tiny(type(model)(**model.settings()), plain, columns=columns).model.state()
    seen = {**LIKED, "kind": ["buy", "look", *["buy"] * 5]}
    for events, rules in ((LIKED, {"positive": ">= 4"}), (seen, {"kinds": {"look": 0.0}})):
        found = tiny(type(model)(**model.settings()), events, columns=columns, rules=rules).model.state()
        assert found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in expected)
    counted = tiny(type(model)(**model.settings()), LIKED, columns=columns).model.state()
    assert any(not torch.equal(counted[name], expected[name]) for name in expected)


@pytest.mark.parametrize("model", COUNTING, ids=repr)
def test_nothing_to_count_is_refused(model: Model, tiny) -> None:
    dataset = tiny(EASE(), LIKED, columns={"value": "value"}, rules={"positive": ">= 4"}).dataset
    nothing = dataset.take(np.array([1]))
    shop = Recommender(type(model)(**model.settings()), features=())
    with pytest.raises(TrainingError, match="nothing to count"):
        fit(shop, nothing, NoSplit().divide(nothing), TrainingOptions())


@pytest.mark.parametrize("model", [ALS(), BPR()], ids=repr)
def test_without_the_library_one_sentence_says_what_to_install(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(factors, "find_spec", lambda name: None)
    with pytest.raises(AbilityError, match=rf"{type(model).__name__} is learnt by the library implicit.*pip install 'germane\[classics\]'"):
        fitted(model)


def shop_files(folder: Path, text: str, baselines: str) -> Path:
    events, items, _ = WORLD.frames()
    events.write_csv(folder / "events.csv")
    items.write_csv(folder / "items.csv")
    columns = 'user = "user"\nitem = "item"\ntime = "time"\ntext = ["title"]'
    (folder / "shop.toml").write_text(
        f'[data]\nevents = "events.csv"\nitems = "items.csv"\n[data.columns]\n{columns}\n[text]\nuse = "{text}"\n[model]\nuse = "Popular"\n'
        f'[evaluation]\nsegments = ["all"]\nbaselines = {baselines}\n'
    )
    return folder / "shop.toml"


def test_baselines_that_read_texts_are_given_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GERMANE_CACHE", str(tmp_path / "cache"))
    _, judged = train_run(shop_files(tmp_path, "HashedText", '["ContentNeighbours", {use = "EASE", l2 = 10}]'), tmp_path / "run")
    assert [row["name"] for row in judged.rows] == ["Popular", "ContentNeighbours", "EASE"]
    assert judged.rows[1]["metrics"]["ndcg@10"]["value"] > judged.rows[0]["metrics"]["ndcg@10"]["value"]


def test_a_baseline_that_cannot_be_fitted_is_told_before_the_training(tmp_path: Path) -> None:
    config = Config.read(shop_files(tmp_path, "NoText", '["ItemNeighbours", "ContentNeighbours"]'))
    with pytest.raises(AbilityError, match="finds none"):
        config.recommender(config.dataset())
