"""``DeepMF``: rows and columns without the pair that they are asked for, what strangers are told, ratings, what is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import germane
from germane import Query, Recommender
from germane.data import Dataset, NoSplit, Random
from germane.errors import ConfigError
from germane.evaluation import EvaluationOptions
from germane.jobs.train import fit, judge, train
from germane.losses import Objective
from germane.models import DeepMF
from germane.testing.model_contract import small_shop
from germane.training import TrainingOptions
from germane.worlds import Checkerboard


def fitted(dataset: Dataset, epochs: int = 2, heads: dict[Any, float] | None = None, **options: Any) -> tuple[Recommender, DeepMF]:
    model = DeepMF(**{"layers": (16, 8), **options})
    recommender = Recommender(model, exclude_seen=False)
    fit(recommender, dataset, NoSplit().divide(dataset), TrainingOptions(epochs=epochs, batch=64, warmup=0, learning_rate=0.01, heads=heads))
    recommender.remember(dataset)
    return recommender, model


def test_no_cell_answers_for_itself() -> None:
    """What a pair is told hangs neither on the item's place in the row nor on the user's place in the column, but on all the others."""
    dataset = small_shop()
    recommender, model = fitted(dataset)
    table = recommender.table(dataset)
    row = int(dataset.timelines.rows(3)[-1])
    queries = table.queries(np.array([row]), 200)
    taken = int(queries.history[0, 0])
    others = (queries.history[0] != taken).nonzero().ravel()
    for told in (model.score(queries, torch.tensor([[taken]]))[0, 0], model.score(queries)[0, taken]):
        of_items, of_users = torch.autograd.grad(told, [model.rows.table.weight, model.columns.table.weight])
        assert of_items[taken].abs().max() == 0 and of_users[3].abs().max() == 0
        assert of_items[queries.history[0, others]].abs().max() > 0
        assert (of_users.abs().amax(1) > 0).sum() == len(np.unique(dataset.user_codes[dataset.item_codes == taken])) - 1


def test_the_whole_catalogue_is_told_what_each_pair_is_told() -> None:
    recommender, model = fitted(small_shop())
    queries = recommender.batch([Query(user="u0"), Query(user="nobody", history=("i3", "i3", "i5")), Query()])
    with torch.inference_mode():
        whole, pairs = model.score(queries), model.score(queries, torch.arange(24).expand(3, -1))
    torch.testing.assert_close(whole, pairs, atol=1e-6, rtol=0)
    assert (whole >= 0).all() and (whole <= 1 + 1e-6).all()


def test_training_knows_a_pair_by_its_other_takers_alone() -> None:
    """An item that one user took has an empty column there: it teaches nothing, or an empty column would mean that it was taken."""
    dataset = Dataset.from_frames({"user": list("aabb"), "item": ["x", "only a's", "x", "y"], "time": [1, 2, 3, 4]}, columns={"time": "time"})
    recommender, model = fitted(dataset, epochs=1, blank=0)
    table = recommender.table(dataset)
    only = int(dataset.items["id"].to_list().index("only a's"))
    rows = table.rows_of(np.flatnonzero(dataset.item_codes == only), 10)
    shared = table.rows_of(np.flatnonzero(dataset.item_codes == dataset.items["id"].to_list().index("x")), 10)
    labels = {"labels": torch.ones(len(shared))}
    objective = Objective(heads={"click": 1.0})
    assert model.loss(type(rows)(**{**vars(rows), "labels": torch.ones(1)}), objective)["click"].item() == 0
    assert model.loss(type(shared)(**{**vars(shared), **labels}), objective)["click"].item() > 0


def test_two_camps_are_told_apart_for_strangers_too() -> None:
    world = Checkerboard(users=40, items=20, held_out=2)
    recommender, _ = fitted(world.dataset(), epochs=15)
    recommender.exclude_seen = True
    for user in ("u0", "u1", "u7"):
        assert {place.item for place in recommender.recommend(Query(user=user), n=2).items} == set(world.right(user))
    stranger = recommender.recommend(Query(history=("i2", "i6", "i8")), n=7)
    assert all(int(place.item[1:]) % 2 == 0 for place in stranger.items)


@pytest.mark.parametrize("kind", ["bce", "mse", "ordinal"])
def test_ratings_follow_who_liked_what(kind: Any) -> None:
    """Users like the items of their camp and not those of the other; only the others' ratings tell which camp anything is of."""
    rng = np.random.default_rng(0)
    users, items = np.repeat(np.arange(40), 30), rng.integers(0, 20, 1200)
    stars = np.where(users % 2 == items % 2, 5, 2) - rng.integers(0, 2, 1200)
    events = {"user": [f"u{u}" for u in users], "item": [f"i{i}" for i in items], "stars": stars}
    dataset = Dataset.from_frames(pl.DataFrame(events).sample(fraction=1, shuffle=True, seed=0), columns={"value": "stars"})
    recommender, split = Recommender(DeepMF(layers=(16, 8)), exclude_seen=False), Random(validation=0.1, test=0.2).divide(dataset)
    options = TrainingOptions(epochs=20, batch=128, learning_rate=0.01, warmup=0, heads={"rating": 1.0}, rating_loss=kind)
    fit(recommender, dataset, split, options, evaluation=EvaluationOptions(k=()))
    assert judge(recommender, dataset, split, EvaluationOptions(k=())).value("rmse") < 0.75 * float(stars.std())


def test_columns_hold_the_newest_takers_once_each() -> None:
    events = {"user": list("abca"), "item": ["x"] * 4, "stars": [1, 2, 4, 3]}
    dataset = Dataset.from_frames(events, columns={"value": "stars"})
    _, model = fitted(dataset, epochs=1, length=2)
    assert model.takers.tolist() == [0, 2] and model.cells.tolist() == [0.75, 1.0]  # a's newest, and c; b came before
    _, model = fitted(dataset, epochs=1, values=False)
    assert model.takers.tolist() == [0, 1, 2] and model.cells.tolist() == [1, 1, 1]


def test_a_run_with_added_items_comes_back(tmp_path: Path) -> None:
    recommender = train(Recommender(DeepMF(layers=(8, 4))), small_shop(), training=TrainingOptions(epochs=1))
    recommender.add_items(pl.DataFrame({"item": ["new"], "title": ["umbrella boots"]}))
    query = Query(user="u3", candidates=("i1", "new", "i2"))
    before = [(place.item, pytest.approx(place.score)) for place in recommender.recommend(query).items]
    germane.save(recommender, tmp_path / "run")
    assert [(place.item, place.score) for place in germane.load(tmp_path / "run").recommend(query).items] == before


def test_bad_options_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"DeepMF option layers = .* should have at least 1"):
        DeepMF(layers=())
    with pytest.raises(ConfigError, match=r"DeepMF option layers.1 = 0: should be greater than 0"):
        DeepMF(layers=(8, 0))
    with pytest.raises(ConfigError, match=r"DeepMF learns one head, and .* asks for click and rating"):
        fitted(small_shop(), heads={"click": 1.0, "rating": 1.0})
