"""Clicks and ratings judged on single rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn import metrics as oracle

from germane import Recommender
from germane.config import Config
from germane.data import Dataset, Given, Random
from germane.errors import ConfigError
from germane.evaluation import EvaluationOptions, Validation
from germane.evaluation.pairs import pair_figures
from germane.jobs.train import fit, judge
from germane.metrics import auc_interval
from germane.models import BiasedMF, Popular
from germane.training import TrainingOptions


def frame(labels: Any = None, p: Any = None, values: Any = None, ratings: Any = None) -> pl.DataFrame:
    n = len(labels if labels is not None else values)
    nothing: list[None] = [None] * n
    told = pl.DataFrame(
        {
            "label": nothing if labels is None else labels,
            "probability": nothing if p is None else p,
            "value": nothing if values is None else values,
            "rating": nothing if ratings is None else ratings,
            "converted": nothing,
            "conversion": nothing,
        },
        schema=dict.fromkeys(("label", "probability", "value", "rating", "converted", "conversion"), pl.Float64),
    )
    label, chance = pl.col("label"), pl.col("probability")
    loss = -(label * chance.log() + (1 - label) * (1 - chance).log())
    return told.with_columns(log_loss=loss, squared_error=(pl.col("value") - pl.col("rating")) ** 2)


def test_figures_agree_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 500).astype(float)
    p = (0.3 * labels + 0.7 * rng.random(500)).clip(0.01, 0.99)
    told = pair_figures(frame(labels, p))
    assert told["auc"]["value"] == pytest.approx(oracle.roc_auc_score(labels, p), abs=1e-6)
    assert told["log_loss"]["value"] == pytest.approx(oracle.log_loss(labels, p), abs=1e-6)
    stars, said = rng.integers(1, 6, 500).astype(float), rng.uniform(1, 5, 500)
    rated = pair_figures(frame(values=stars, ratings=said))
    assert rated["rmse"]["value"] == pytest.approx(oracle.root_mean_squared_error(stars, said), abs=1e-6)
    assert rated["mae"]["value"] == pytest.approx(oracle.mean_absolute_error(stars, said), abs=1e-6)
    for figures in (told, rated):
        assert all(figure["low"] < figure["value"] < figure["high"] for figure in figures.values())


def test_labels_of_one_class_leave_out_what_they_cannot_tell() -> None:
    told = pair_figures(frame([1.0] * 50, [0.9] * 50))
    assert set(told) == {"log_loss", "ece"}


@pytest.mark.parametrize("labels", [[1.0, 0.0], [1.0] + [0.0] * 30, [0.0] + [1.0] * 30])
def test_a_class_of_a_single_row_leaves_the_auc_open(labels: list[float]) -> None:
    """A sparse user with one click of two is enough of a segment; a run holds no figure that is no number."""
    told = pair_figures(frame(labels, np.linspace(0.9, 0.1, len(labels))))
    assert (told["auc"]["low"], told["auc"]["high"]) == (0.0, 1.0)
    assert np.isfinite([value for figure in told.values() for value in figure.values()]).all()


def test_the_interval_of_auc_holds_its_promise() -> None:
    """95 % of intervals hold the true figure, here .7602: two normal scores a standard deviation apart."""
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(300):
        scores = np.concatenate([rng.normal(0, 1, 80), rng.normal(1, 1, 60)])
        low, high = auc_interval(scores, np.repeat([0, 1], [80, 60]))
        held += low <= 0.7602 <= high
    assert 0.91 <= held / 300 <= 0.985
    assert np.isnan(auc_interval([0.1, 0.2], [0, 1])).all()


def clicks(seed: int = 0) -> Dataset:
    """Users 0 to 19 take items of their own parity; the held-out part holds what was shown and not taken too."""
    rng = np.random.default_rng(seed)
    users, items = rng.integers(0, 20, 3000), rng.integers(0, 20, 3000)
    labels = (users % 2 == items % 2).astype(int)
    part = np.where(rng.random(3000) < 0.8, "train", np.where(rng.random(3000) < 0.5, "validation", "test"))
    keep = (labels == 1) | (part != "train")  # training knows only what was taken
    events = pl.DataFrame({"user": [f"u{u}" for u in users], "item": [f"i{i}" for i in items], "label": labels, "part": part})
    return Dataset.from_frames(events.filter(pl.Series(keep)), columns={"label": "label", "split": "part"})


def test_published_pairs_are_judged_where_training_has_none() -> None:
    """Negatives are drawn in training; validation and test hold labels of both kinds, as Frappe's files do."""
    dataset = clicks()
    split = Given().divide(dataset)
    assert 0 < dataset.events["label"].gather(split.test).mean() < 1  # type: ignore[operator]
    recommender = Recommender(BiasedMF(width=4), exclude_seen=False)
    training = TrainingOptions(epochs=8, batch=256, negatives=2, learning_rate=0.02, warmup=0)
    fit(recommender, dataset, split, training, evaluation=EvaluationOptions(k=()))
    judged = judge(recommender, dataset, split, EvaluationOptions(k=()))
    assert judged.value("auc") > 0.95
    assert {row["segment"] for row in judged.rows} >= {"all", "known items", "new pairs"}
    assert "auc" in str(judged) and "ndcg@10" not in judged.rows[0]["metrics"]


def test_lists_and_pairs_stand_in_one_row() -> None:
    dataset = clicks()
    split = Given().divide(dataset)
    recommender = Recommender(BiasedMF(width=4), exclude_seen=False)
    fit(recommender, dataset, split, TrainingOptions(epochs=2), evaluation=EvaluationOptions(exclude_seen=False))
    row = judge(recommender, dataset, split, EvaluationOptions(exclude_seen=False)).rows[0]
    assert {"ndcg@10", "auc", "log_loss"} <= set(row["metrics"]) and row["segment"] == "all"


def test_epochs_are_chosen_by_what_is_better_less_or_more() -> None:
    rng = np.random.default_rng(0)
    users, items = rng.integers(0, 20, 1200), rng.integers(0, 15, 1200)
    stars = (3 + np.sign(users % 3 - 1) + rng.normal(0, 0.3, 1200)).round(1)
    dataset = Dataset.from_frames({"user": [f"u{u}" for u in users], "item": [f"i{i}" for i in items], "stars": stars}, columns={"value": "stars"})
    split = Random(validation=0.2, test=0.1).divide(dataset)
    recommender = Recommender(BiasedMF(width=4, l2=0.0))
    training = TrainingOptions(loss="mse", epochs=25, batch=64, learning_rate=0.05, warmup=0, patience=25)
    told = fit(recommender, dataset, split, training, evaluation=EvaluationOptions(k=()))
    curve = [epoch["validation"] for epoch in told["curve"]]
    assert told["epochs"] == 1 + int(np.argmin(curve))
    value = judge(recommender, dataset, split, EvaluationOptions(k=()), part="validation").value("rmse")
    assert value == pytest.approx(min(curve), abs=1e-5)


def test_a_metric_that_no_head_has_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"metric = 'ndcg@0': choose ndcg@K"):
        Validation(Popular(), None, EvaluationOptions(), "ndcg@0")
    model = BiasedMF()
    model.objective = TrainingOptions(loss="mse").objective(model)
    assert Validation(model, None, EvaluationOptions()).metric == "rmse"
    with pytest.raises(ConfigError, match=r"metric = 'auc': .* with K from 1 to 1000, rmse, mae\."):
        Validation(model, None, EvaluationOptions(), "auc")


def test_a_config_says_so_before_anything_is_read() -> None:
    from pathlib import Path

    sections: dict[str, Any] = {"data": {"events": "none.csv"}, "model": {"use": "Popular"}, "training": {"loss": "mse"}}
    with pytest.raises(ConfigError, match=r"asks for rating, and Popular gives ranking only; models that do are"):
        Config.of(sections, Path())
    sections = {
        "data": {"events": "none.csv"},
        "model": {"use": "BiasedMF"},
        "training": {"loss": "mse"},
        "evaluation": {"k": [], "baselines": ["Popular"]},
    }
    with pytest.raises(ConfigError, match=r"Popular only ranks, and k = \[\] judges no lists"):
        Config.of(sections, Path())
