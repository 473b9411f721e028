"""The flagship's click and rating heads: what they learn of a known truth, and that they leave the ranking head alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from germane import Event, Query, Recommender
from germane.batches import EventTable, Timelines, profiles
from germane.config import Config
from germane.data import Dataset, LeaveLastOut, NoSplit, Random
from germane.errors import ConfigError
from germane.evaluation import EvaluationOptions
from germane.features import FeatureSet
from germane.jobs.train import fit, judge
from germane.losses import Objective
from germane.models import BiasedMF, ContextTransformer, ItemNeighbours
from germane.models.context import looked
from germane.models.memory import memory
from germane.models.rating_scale import RatingScale
from germane.training import TrainingOptions

SMALL: dict[str, Any] = {"width": 16, "blocks": 1, "length": 10, "dropout": 0.0, "context_dropout": 0.0}


def rated(seed: int = 0) -> Dataset:
    """60 users who rate all low or all high (their history says which), 20 items that are worth a star more or less, a star more in the sun."""
    rng = np.random.default_rng(seed)
    users, items, sun = np.repeat(np.arange(60), 20), rng.integers(0, 20, 1200), rng.integers(0, 2, 1200)
    stars = 2.5 + np.where(users % 2, 1.0, -1.0) + np.where(items % 2, 0.5, -0.5) + sun
    events = {"user": [f"u{u}" for u in users], "item": [f"i{i}" for i in items], "time": np.arange(1200.0) * 3600, "stars": stars}
    frame = pl.DataFrame({**events, "sky": np.where(sun, "sun", "rain")})
    return Dataset.from_frames(frame, columns={"value": "stars", "time": "time", "context": ["sky"]})


def test_a_rating_hangs_on_history_item_and_moment() -> None:
    dataset = rated()
    split = Random(validation=0.1, test=0.2).divide(dataset)
    recommender = Recommender(ContextTransformer(**SMALL), features=None, exclude_seen=False)
    training = TrainingOptions(loss="mse", epochs=40, batch=16, learning_rate=5e-3, warmup=0, patience=40)
    fit(recommender, dataset, split, training, evaluation=EvaluationOptions(k=()))
    judged = judge(recommender, dataset, split, EvaluationOptions(k=()))
    assert judged.value("rmse") < 0.4 * float(dataset.events["value"].std())  # type: ignore[arg-type]
    recommender.remember(dataset)
    pairs = pl.DataFrame({"user": ["u1"] * 4 + ["u2"], "item": ["i1", "i2", "i1", "i1", "i1"], "sky": ["sun", "sun", "rain", "sun", "sun"]})
    good, worse_item, worse_sky, _, worse_user = recommender.score(pairs)
    assert good > worse_item and good > worse_sky and good > worse_user + 1


@pytest.mark.parametrize("kind", ["mse", "bce", "ordinal"])
def test_ratings_begin_at_the_mean_of_those_seen(kind: Any) -> None:
    dataset, scale = rated(), RatingScale()
    scale.fit(dataset, kind)
    assert scale.rating(kind, scale.start).item() == pytest.approx(float(dataset.events["value"].mean()), abs=0.01)  # type: ignore[arg-type]


def test_values_of_the_history_are_read_or_not() -> None:
    dataset = rated()
    split = LeaveLastOut().divide(dataset)
    for reads in (True, False):
        recommender = Recommender(ContextTransformer(**SMALL, values=reads), exclude_seen=False)
        fit(recommender, dataset, split, TrainingOptions(loss="mse", epochs=2, batch=16), evaluation=EvaluationOptions(k=()))
        liked, not_liked = (
            recommender.batch([Query(history=tuple(_taken(f"i{n}", stars) for n in range(4)), context={"sky": "sun"})]) for stars in (5.0, 1.0)
        )
        differ = not torch.equal(recommender.model.score(liked), recommender.model.score(not_liked))
        assert differ == reads


def _taken(item: str, stars: float) -> Event:
    return Event(item, value=stars)


def shown() -> Dataset:
    """40 users take what has their parity; everything else that they were shown has the label 0."""
    rng = np.random.default_rng(0)
    users, items = np.repeat(np.arange(40), 30), rng.integers(0, 20, 1200)
    taken = (users % 2 == items % 2).astype(int)
    frame = {"user": [f"u{u}" for u in users], "item": [f"i{i}" for i in items], "time": np.arange(1200.0), "label": taken}
    return Dataset.from_frames(frame, columns={"label": "label", "time": "time"})


def test_what_was_shown_and_not_taken_teaches_the_click_head() -> None:
    dataset = shown()
    split = Random(validation=0.1, test=0.2).divide(dataset)
    recommender = Recommender(ContextTransformer(**SMALL), exclude_seen=False)
    training = TrainingOptions(heads={"ranking": 1.0, "click": 1.0}, epochs=25, batch=16, learning_rate=5e-3, warmup=0, metric="auc", patience=25)
    fit(recommender, dataset, split, training, evaluation=EvaluationOptions(exclude_seen=False))
    assert recommender.model.objective.click_negatives == 0
    judged = judge(recommender, dataset, split, EvaluationOptions(exclude_seen=False))
    assert judged.value("auc") > 0.9 and judged.value("ndcg@10") > 0.3


@pytest.mark.parametrize("heads", [{"click": 1.0}, {"ranking": 1.0, "click": 1.0}])
def test_users_who_never_click_lower_the_probability(heads: Any) -> None:
    """Every other user takes half of what they are shown, the others nothing: a quarter in all, and that is what the head says on average."""
    rng = np.random.default_rng(0)
    users, items = np.repeat(np.arange(60), 12), rng.integers(0, 12, 720)
    taken = (rng.random(720) < 0.5) & (users % 2 == 0)
    frame = {"user": [f"u{u}" for u in users], "item": [f"i{i}" for i in items], "time": np.arange(720.0), "label": taken.astype(int)}
    dataset = Dataset.from_frames(frame, columns={"label": "label", "time": "time"})
    recommender = Recommender(ContextTransformer(**{**SMALL, "length": 30}), exclude_seen=False)
    training = TrainingOptions(heads=heads, epochs=12, batch=16, learning_rate=5e-3, warmup=0)
    fit(recommender, dataset, NoSplit().divide(dataset), training, evaluation=EvaluationOptions(exclude_seen=False))
    table = recommender.table(dataset)
    rows = table.rows_of(np.arange(720), 30)
    with torch.inference_mode():
        told = recommender.model.eval().clicks(rows.queries, rows.items[:, None])[:, 0].sigmoid()  # type: ignore[attr-defined]
    assert told.mean().item() == pytest.approx(taken.mean(), abs=0.04)
    new = (rows.queries.history < 0).all(1).numpy()  # who took nothing yet will hardly do so
    assert told[new].mean().item() == pytest.approx(taken[new].mean(), abs=0.04) and taken[new].mean() < 0.1


@pytest.mark.parametrize("rules", [{"target": "buy"}, {"positive": ">= 4"}])
def test_clicks_are_those_of_all_kinds_of_event_as_what_was_not_clicked_is(rules: dict[str, Any]) -> None:
    """Half of what was shown is clicked, whatever its kind and worth; lists are learned from a tenth of the events."""
    rng = np.random.default_rng(0)
    users, items = np.repeat(np.arange(60), 12), rng.integers(0, 12, 720)
    kind, clicked = np.where(rng.random(720) < 0.1, "buy", "view"), rng.random(720) < 0.5
    frame = {"user": [f"u{u}" for u in users], "item": [f"i{i}" for i in items], "time": np.arange(720.0), "label": clicked.astype(int)}
    frame |= {"kind": kind, "value": np.where(kind == "buy", 5.0, 1.0)}
    columns = {"label": "label", "time": "time", "kind": "kind", "value": "value"}
    dataset = Dataset.from_frames(frame, columns=columns, rules=rules)
    recommender = Recommender(ContextTransformer(**{**SMALL, "length": 30}), exclude_seen=False)
    training = TrainingOptions(heads={"ranking": 1.0, "click": 1.0}, epochs=8, batch=16, learning_rate=5e-3, warmup=0)
    fit(recommender, dataset, NoSplit().divide(dataset), training, evaluation=EvaluationOptions(exclude_seen=False))
    rows = recommender.table(dataset).rows_of(np.arange(720), 30)
    with torch.inference_mode():
        told = recommender.model.eval().clicks(rows.queries, rows.items[:, None])[:, 0].sigmoid()  # type: ignore[attr-defined]
    assert told.mean().item() == pytest.approx(0.5, abs=0.06)
    batch = next(iter(Timelines(recommender.table(dataset), 30, 60, shown=np.flatnonzero(~clicked)).draw(None)))
    assert batch.counts()["click"] == pytest.approx(float(batch.weights[batch.clicks].sum() + batch.shown.weights.sum()))  # type: ignore[union-attr]
    assert int(batch.clicks.sum()) == clicked.sum() > 5 * int((batch.targets >= 0).sum())


def test_rows_shown_stand_beside_the_history_they_followed() -> None:
    events = {"user": list("aaaaabbb"), "item": ["x", "n", "y", "m", "z", "k", "x", "n"], "label": [1, 0, 1, 0, 1, 0, 1, 0]}
    dataset = Dataset.from_frames(events, columns={"label": "label"})
    table = EventTable(dataset, FeatureSet([]), profile=profiles(FeatureSet([]), dataset.users))
    not_taken = np.flatnonzero(dataset.events["label"].to_numpy() == 0)
    names, found = dataset.items["id"].to_list(), []
    for length in (2, 10):
        told = []
        for batch in Timelines(table, length, 8, shown=not_taken).draw(None):
            assert batch.shown is not None
            for row, place, item in zip(batch.shown.row.tolist(), batch.shown.place.tolist(), batch.shown.items.tolist(), strict=True):
                history = batch.queries.history[row, : place + 1]
                told.append((names[item], [names[int(code)] for code in history if code >= 0]))
        found.append(sorted(told))
    assert found[1] == [("k", []), ("m", ["x", "y"]), ("n", ["x"]), ("n", ["x"])]  # b's last row came after all that b took
    assert [name for name, _ in found[0]] == ["k", "m", "n", "n"] and all(len(history) == (name != "k") for name, history in found[0])


def test_what_was_not_taken_is_in_no_count() -> None:
    """Neighbours and recent popularity of a log with labels are those of the same log without the rows of label 0."""
    dataset = shown()
    taken = dataset.take(np.flatnonzero(dataset.events["label"].to_numpy() == 1))
    for model in (ItemNeighbours(), ContextTransformer(**SMALL)):
        states = []
        for log in (dataset, taken):
            recommender = Recommender(type(model)(**model.settings()), exclude_seen=False)
            fit(recommender, log, NoSplit().divide(log), TrainingOptions(epochs=1, batch=16))
            states.append(recommender.model.state())
        counted = [name for name in states[0] if name in ("similarity", "prior.recent.taken", "prior.recent.kept")]
        assert counted and all(torch.equal(states[0][name], states[1][name]) for name in counted)


def test_heads_learn_beside_ranking() -> None:
    """Every head has a gradient of its own, and the sum is weighed."""
    dataset = rated()
    split = LeaveLastOut().divide(dataset)
    recommender = Recommender(ContextTransformer(**SMALL), exclude_seen=False)
    training = TrainingOptions(heads={"ranking": 1.0, "click": 1.0, "rating": 1.0}, epochs=1, batch=16)
    fit(recommender, dataset, split, training, evaluation=EvaluationOptions(exclude_seen=False))
    model = recommender.model
    assert isinstance(model, ContextTransformer) and model.look is not None
    table = recommender.table(dataset, visible=split.train)
    batch = next(iter(Timelines(table, 10, 16).draw(np.random.default_rng(0))))
    told = model.train().loss(batch, model.objective)
    assert set(told) == {"ranking", "click", "rating"}
    for head in ("click", "rating"):
        model.zero_grad()
        told[head].backward(retain_graph=True)
        own, other = model.look.out[head].weight.grad, model.look.out["rating" if head == "click" else "click"].weight.grad
        assert own is not None and own.abs().sum() > 0 and (other is None or other.abs().sum() == 0)


@pytest.mark.parametrize("unknown", [False, True])
def test_drawn_negatives_are_known_items_unless_said(unknown: bool) -> None:
    """An item without training events learns to be low where it may be drawn, and not at all where it may not."""
    dataset = rated()
    split = LeaveLastOut().divide(dataset)
    new = dataset.item_codes[split.train] == 3
    split = type(split)(split.train[~new], split.validation, split.test, split.name)
    recommender = Recommender(ContextTransformer(**SMALL), exclude_seen=False)
    training = TrainingOptions(heads={"click": 1.0}, epochs=1, batch=16, unknown_as_negatives=unknown)
    fit(recommender, dataset, split, training, evaluation=EvaluationOptions(exclude_seen=False))
    model = recommender.model
    assert isinstance(model, ContextTransformer) and model.look is not None and not model.items.known[3]
    assert (model.look.item_bias["click"][3] < 0) == unknown


def test_the_head_that_answers_where_none_is_named() -> None:
    for heads, first in (("conversion", "ranking"), "ranking"), (("ranking", "rating"), "rating"), (("rating", "click"), "click"):
        assert Objective(heads=dict.fromkeys(heads, 1.0)).first() == first
    assert Objective(heads={"conversion": 1.0}).first() == "conversion"


def test_negatives_drawn_once_belong_to_rows() -> None:
    training = TrainingOptions(heads={"click": 1.0}, redraw_negatives=False)
    with pytest.raises(ConfigError, match="redraw_negatives = false: ContextTransformer meets its events in stretches"):
        training.objective(ContextTransformer())
    assert training.objective(BiasedMF()).heads == {"click": 1.0}
    assert training.suited(ContextTransformer()).redraw_negatives and not training.suited(BiasedMF()).redraw_negatives
    assert TrainingOptions(redraw_negatives=False).objective(ContextTransformer()).first() == "ranking"  # draws nothing for a click head


@pytest.mark.parametrize("heads", [{"ranking": 1.0}, {"ranking": 1.0, "rating": 0.5}, {"click": 1.0}])
def test_mse_is_one_rating_head(heads: Any) -> None:
    sections = {"data": {"events": "none.csv"}, "model": {"use": "ContextTransformer"}, "training": {"loss": "mse", "heads": heads}}
    with pytest.raises(ConfigError, match=r"option heads = .* should be left out beside loss = 'mse', which is one rating head; for several"):
        Config.of(sections, Path())
    for said in (TrainingOptions(loss="mse"), TrainingOptions(loss="mse", heads={"rating": 1.0})):
        assert said.objective(ContextTransformer()).heads == {"rating": 1.0}


def repeats() -> Dataset:
    """Four users of 1 to 60 events, who take few items again and again, and rate them."""
    rng = np.random.default_rng(0)
    users = rng.permutation(np.repeat(np.arange(4), (1, 7, 30, 60)))
    stars = rng.integers(1, 6, len(users))
    frame = {"user": [f"u{u}" for u in users], "item": [f"i{i}" for i in rng.integers(0, 6, len(users))], "stars": stars}
    times = np.cumsum(rng.integers(1, 90_000, len(users))).astype(float)
    return Dataset.from_frames({**frame, "time": times}, columns={"value": "stars", "time": "time"})


@pytest.mark.parametrize("seed", [None, 0, 1, 2])
def test_training_remembers_what_a_query_would_and_never_the_event_itself(seed: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever a stretch begins, and however wide its batch is: the newest ten events before, of each place."""
    told: list[torch.Tensor] = []
    monkeypatch.setattr(looked, "memory", lambda *given: (told.append(memory(*given)), told[-1])[1])
    dataset = repeats()
    model = ContextTransformer(**SMALL)
    model.objective = TrainingOptions(heads={"rating": 1.0}).objective(model)
    recommender = Recommender(model, exclude_seen=False)
    recommender.prepare(dataset)
    model.warm(dataset, recommender.content)
    table = recommender.table(dataset)
    in_training: dict[float, list[float]] = {}
    for batch in Timelines(table, 10, 3).draw(None if seed is None else np.random.default_rng(seed)):
        told.clear()
        model.loss(batch, model.objective)
        in_training |= dict(zip(batch.target_times[batch.items >= 0].tolist(), told[0][:, 0].tolist(), strict=True))
    asked = table.rows_of(np.arange(len(dataset)), 10)
    told.clear()
    model.ratings(asked.queries, asked.items[:, None])
    assert in_training == dict(zip(dataset.times.tolist(), told[0][:, 0].tolist(), strict=True))
    for row in range(len(dataset)):
        before = [int(other) for other in dataset.timelines.rows(int(dataset.user_codes[row])) if other < row][-10:]
        same = [other for other in before if dataset.item_codes[other] == dataset.item_codes[row]]
        lately = 1 / (1 + (dataset.times[row] - dataset.times[same[-1]]) / 86_400) if same else 0.0
        since = 1 / (len(before) - before.index(same[-1])) if same else 0.0
        assert in_training[float(dataset.times[row])] == pytest.approx([np.log1p(len(same)), lately, since], rel=1e-5)
