"""What the second model reads: each number by hand, and that none looks ahead."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from germane import Event, Query, Recommender
from germane.data import Dataset, LeaveLastOut, NoSplit
from germane.encoders import HashedText
from germane.jobs.train import fit
from germane.models import TwoStage
from germane.models.candidate_features import CandidateFeatures
from germane.models.context_lift import BELIEF, ContextLift
from germane.testing.model_contract import small_shop
from germane.training import TrainingOptions

DAY = 86_400.0


@pytest.fixture(scope="module")
def shop() -> Recommender:
    dataset = small_shop()
    recommender = Recommender(TwoStage(first={"use": "Popular"}, ranker={"use": "CrossNetwork", "epochs": 1}), text=HashedText(width=32))
    fit(recommender, dataset, LeaveLastOut().divide(dataset), TrainingOptions())
    recommender.remember(dataset)
    return recommender


def test_popularity_is_told_without_times_too() -> None:
    whole = small_shop()
    frame = whole.events.select("user", "item")
    untimed = Dataset.from_frames(frame.to_dict(as_series=False))
    features = []
    for dataset in (whole, untimed):
        recommender = Recommender(TwoStage(first={"use": "Popular"}, ranker={"use": "CrossNetwork", "epochs": 1}))
        fit(recommender, dataset, LeaveLastOut().divide(dataset), TrainingOptions())
        model = recommender.model
        assert isinstance(model, TwoStage)
        items = torch.arange(dataset.n_items)[None]
        told = model.features._popular(recommender.batch([Query(history=(dataset.items["id"][0],))]), items)[0, :, -1]
        counts = torch.from_numpy(np.bincount(dataset.item_codes, minlength=dataset.n_items)).float()
        features.append(torch.corrcoef(torch.stack([told, counts.log1p()]))[0, 1])
    assert min(features) > 0.8


def read(shop: Recommender, query: Query, items: list[int], told: list[float] | None = None) -> dict[str, np.ndarray]:
    """The numbers of one query by name; the shop has the hour, the weekday and the weather as categories, and degrees."""
    model = shop.model
    assert isinstance(model, TwoStage)
    queries = shop.batch([query])
    there = torch.ones(1, len(items), dtype=torch.bool)
    pairs = model.features(queries, torch.tensor([items]), there, torch.tensor([[told or [float(-n) for n in range(len(items))]]]))
    numbers = pairs.numbers[0].double().numpy()
    names = [
        "first",
        "place",
        "week",
        "months",
        "ever",
        "often",
        "lately",
        "since",
        "hour",
        "weekday",
        "weather",
        "all",
        "read",
        "typed",
        "done",
        "gap",
    ]
    assert numbers.shape[1] == len(names) + queries.moment.dense.shape[1]
    return {name: numbers[:, place] for place, name in enumerate(names)}


def test_the_first_score_and_its_place(shop: Recommender) -> None:
    found = read(shop, Query(), [4, 9, 2], [0.5, 2.0, 0.5])
    assert found["first"].tolist() == [0.5, 2.0, 0.5]
    assert np.exp(found["place"]) == pytest.approx([2, 1, 2])  # equals share a place


def test_what_the_user_did(shop: Recommender) -> None:
    now = 1_700_000_000.0
    history = (Event("i4", now - 9 * DAY), Event("i9", now - 3 * DAY), Event("i4", now - DAY))
    found = read(shop, Query(history=history, time=now), [shop.catalogue.codes[name] for name in ("i4", "i9", "i2")])
    assert found["often"] == pytest.approx([math.log(3), math.log(2), 0])
    assert found["lately"] == pytest.approx([1 / 2, 1 / 4, 0])
    assert np.exp(found["done"]) == pytest.approx(4) and np.exp(found["gap"]) == pytest.approx(2)
    nothing = read(shop, Query(), [1, 2])
    assert not nothing["often"].any() and not nothing["done"].any() and not nothing["gap"].any()


def test_texts_are_compared_with_the_history_and_with_typed_words(shop: Recommender) -> None:
    codes = [shop.catalogue.codes[name] for name in ("i3", "i4")]  # an umbrella, and sunscreen
    found = read(shop, Query(history=("i1", "i5"), words="umbrella boots"), codes)
    assert found["read"][0] > found["read"][1] and found["typed"][0] > found["typed"][1]
    assert not read(shop, Query(), codes)["read"].any() and not read(shop, Query(), codes)["typed"].any()


def test_context_tells_what_is_taken_in_it(shop: Recommender) -> None:
    codes = [shop.catalogue.codes[name] for name in ("i3", "i4")]
    rain, sun, unknown = (read(shop, Query(context={"weather": weather}), codes)["weather"] for weather in ("rain", "sun", "fog"))
    assert rain[0] > 0.3 and rain[1] < -0.3 and sun[0] < -0.3 and sun[1] > 0.3 and not unknown.any()


def test_the_lift_by_hand() -> None:
    codes, items = np.array([[1, 3], [1, 0], [2, 3], [2, 3]]), np.array([0, 0, 0, 1])
    lift = ContextLift()
    lift.fit(codes, items, n_codes=4, n_items=3)
    told = lift(torch.tensor([[1, 3], [2, 0]]), torch.tensor([[0, 1], [1, 2]]))
    by_hand = [(2, 2 * 3 / 4), (2, 3 * 3 / 4), (0, 2 * 1 / 4), (1, 3 * 1 / 4)]
    assert told[0].flatten().tolist() == pytest.approx([math.log((got + BELIEF) / (expected + BELIEF)) for got, expected in by_hand])
    assert told[1].tolist() == [[pytest.approx(math.log((1 + BELIEF) / (0.5 + BELIEF))), 0], [0, 0]]
    lift.grow(5)
    assert lift(torch.tensor([[1, 3]]), torch.tensor([[4]])).tolist() == [[[0, 0]]]
    again = ContextLift()
    again.load_state(lift.state())
    assert torch.equal(again(torch.tensor([[1, 3]]), torch.tensor([[0]])), lift(torch.tensor([[1, 3]]), torch.tensor([[0]])))
    assert not ContextLift()(torch.tensor([[1]]), torch.tensor([[0, 1]])).any()


def test_popularity_is_that_of_the_querys_time() -> None:
    """What happens later changes no number of a query: each is the same on data cut off at it."""
    rng = np.random.default_rng(0)
    day = np.sort(rng.random(600)) * 100
    events = pl.DataFrame({"user": [f"u{n % 20}" for n in range(600)], "item": [f"i{int(d) // 10}" for d in day], "time": day * DAY})
    found = {}
    for cut in (600, 400):
        dataset = Dataset.from_frames(events[:cut], pl.DataFrame({"item": [f"i{n}" for n in range(10)]}), columns={"time": "time"})
        recommender = Recommender(TwoStage(first={"use": "Popular"}, learns_from="last"), features=())
        fit(recommender, dataset, NoSplit().divide(dataset), TrainingOptions())
        features = recommender.model.features  # type: ignore[attr-defined]
        queries = replace(recommender.batch([Query()]), times=torch.tensor([day[400] * DAY], dtype=torch.float64))
        found[cut] = features._popular(queries, torch.arange(10)[None])[0]
    assert found[600][9].tolist() == [0, 0, 0]  # nobody took it yet, though everybody will
    later = int(day[400]) // 10 + 1
    assert not found[600][later:].any() and bool((found[600][: later - 1, 2] > 0).all())
    assert bool(found[600][later - 2, 0] > found[600][0, 0])  # lately
    np.testing.assert_allclose(found[600].numpy(), found[400].numpy(), atol=1.2)  # at most a snapshot's width apart


def test_categories_keep_to_their_own_rows(shop: Recommender) -> None:
    """Of one table: those of the moment, the user and the item never meet; blind, those of the moment are gone."""
    events = pl.DataFrame({"user": ["a", "b", "a"], "item": ["x", "y", "y"], "time": [1.0, 2.0, 3.0], "weather": ["sun", "rain", "sun"]})
    items = pl.DataFrame({"item": ["x", "y"], "colour": ["red", "blue"], "genres": ["p|q", "q"]})
    users = pl.DataFrame({"user": ["a", "b"], "tier": ["gold", "tin"]})
    columns = {"time": "time", "context": ["weather"], "side": ["colour", "genres"], "user_side": ["tier"]}
    dataset = Dataset.from_frames(events, items, users, columns=columns)
    recommender = Recommender(TwoStage(first={"use": "Popular"}))
    recommender.prepare(dataset)
    model = recommender.model
    assert isinstance(model, TwoStage)
    queries = recommender.batch([Query(user="a", context={"weather": "sun"}), Query(user="b", context={"weather": "rain"})])
    there = torch.ones(2, 2, dtype=torch.bool)
    blind = CandidateFeatures(context=False)
    blind.prepare(dataset, recommender.content, recommender.features)
    for features, columns_of_moment in ((model.features, queries.moment.codes.shape[1]), (blind, 0)):
        pairs = features(queries, torch.tensor([[0, 1]] * 2), there, torch.zeros(1, 2, 2))
        assert pairs.codes.shape[-1] == columns_of_moment + 1 + recommender.content.side_codes.shape[1]
        assert int(pairs.codes.max()) == pairs.n_codes - 1
        rows = [set(pairs.codes[..., column].flatten().tolist()) - {0} for column in range(pairs.codes.shape[-1])]
        tier, moment, side = rows[0], set().union(*rows[1 : 1 + columns_of_moment]), set().union(*rows[1 + columns_of_moment :])
        assert tier and side and not tier & side and not moment & (tier | side)
