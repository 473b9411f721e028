"""The conversion head: what it recovers of known chances, that it looks at nothing later, and what stands beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import germane
from germane import Recommender
from germane.batches import Timelines
from germane.data import ByTime, Dataset, NoSplit, Random
from germane.errors import AbilityError, ConfigError, DataError
from germane.evaluation import EvaluationOptions, Validation, cases_of
from germane.jobs.check import check
from germane.jobs.estimate import SAMPLE, _cases
from germane.jobs.run import train_run
from germane.jobs.score import score_file
from germane.jobs.train import fit, judge
from germane.models import (
    EASE,
    NCF,
    BiasedMF,
    Blend,
    ContextTransformer,
    DCNv2,
    FactorisationMachine,
    Learned,
    Model,
    RowWise,
    TensorFactorisation,
    TwoStage,
)
from germane.training import TrainingOptions

DAY = 86_400.0
CHANCE = np.linspace(0.1, 0.6, 20)[np.random.default_rng(5).permutation(20)]
"""That a click on an item converts; items from 10 on are clicked from day 45 on only."""
COLUMNS = {"time": "time", "kind": "kind"}
SMALL: dict[str, Any] = {"width": 16, "blocks": 1, "length": 20, "dropout": 0.0, "context_dropout": 0.0}
NO_LISTS = EvaluationOptions(k=())


def clicks(users: int = 400, until: float = 60.0, seed: int = 0) -> pl.DataFrame:
    """Every user clicks every item once within 60 days; delays are exponential, ten days on average. What is bought by day ``until`` is told.

    ``so_far``: the naive label, whether it was bought by then.
    """
    rng = np.random.default_rng(seed)
    user, item = np.divmod(np.arange(users * 20), 20)
    clicked = rng.uniform(np.where(item >= 10, 45, 0), 60)
    bought = np.where(rng.random(len(user)) < CHANCE[item], clicked + rng.exponential(10, len(user)), np.inf)
    there = bought < until
    rows = {"user": [f"u{u}" for u in user], "item": [f"i{i}" for i in item]}
    first = pl.DataFrame({**rows, "time": clicked * DAY, "so_far": there.astype(int)}).with_columns(kind=pl.lit("click"))
    return pl.concat([first, first.with_columns(time=pl.Series(bought * DAY), kind=pl.lit("buy")).filter(pl.Series(there))])


def shop(until: float = 60.0, within: float = 60.0, users: int = 400, **columns: Any) -> Dataset:
    frame = clicks(users, until)
    return Dataset.from_frames(frame, columns={**COLUMNS, **columns}, rules={"conversion": {"of": "click", "by": "buy", "within": within}})


def trained(model: Model, dataset: Dataset, split: Any = None, **training: Any) -> Recommender:
    options = {"heads": {"conversion": 1.0}, "epochs": 15, "batch": 256, "learning_rate": 0.01, "warmup": 0, "weight_decay": 0.3, **training}
    recommender = Recommender(model, features=(), exclude_seen=False)
    fit(recommender, dataset, split or NoSplit().divide(dataset), TrainingOptions(**options), evaluation=NO_LISTS)
    return recommender


def told(recommender: Recommender, head: str | None = None) -> np.ndarray[Any, np.dtype[np.float64]]:
    """[items] what is said of a stranger's click."""
    return recommender.score(pl.DataFrame({"user": ["stranger"] * 20, "item": [f"i{k}" for k in range(20)]}), head)


def told_users(recommender: Recommender, dataset: Dataset, head: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """[items] what is said of the next click of those who clicked before, on average."""
    recommender.remember(dataset)
    n = dataset.n_users
    pairs = pl.DataFrame({"user": np.repeat([f"u{k}" for k in range(n)], 20), "item": [f"i{k}" for k in range(20)] * n})
    said: np.ndarray[Any, np.dtype[np.float64]] = recommender.score(pairs, head).reshape(n, 20).mean(0)
    return said


def too_much(said: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    """Log loss against the true chances, beyond that of the chances themselves."""
    return float((CHANCE * np.log(CHANCE / said) + (1 - CHANCE) * np.log((1 - CHANCE) / (1 - said))).mean())


@pytest.mark.parametrize("model", [BiasedMF(width=2), DCNv2(width=4, layers=(8,))], ids=repr)
def test_chances_are_recovered_where_the_newest_labels_are_too_low(model: RowWise) -> None:
    naive = Dataset.from_frames(clicks().filter(kind="click"), columns={"time": "time", "label": "so_far"})
    low = told(trained(type(model)(**model.settings()), naive, heads={"click": 1.0}))
    recommender = trained(model, shop())
    ours = told(recommender)
    new = CHANCE[10:].mean()
    assert low[10:].mean() < 0.65 * new  # a third and more of what new items sell is still to come
    assert ours[10:].mean() == pytest.approx(new, rel=0.15)
    assert too_much(ours) < 0.4 * too_much(low)
    scale = recommender.model.delays  # type: ignore[union-attr]
    assert float(scale.unit) < 7 * DAY < 8 * DAY < float(scale.unit) / float(scale.usual.detach().exp()) < 12 * DAY  # the true mean is ten


def test_the_flagship_recovers_them_too() -> None:
    """Of users who clicked before: the click head tells early clicks, which have had their time, by histories without any purchase."""
    naive, dataset = Dataset.from_frames(clicks(150).filter(kind="click"), columns={"time": "time", "label": "so_far"}), shop(users=150)
    training = {"batch": 32, "epochs": 12, "learning_rate": 5e-3}
    low = told_users(trained(ContextTransformer(**SMALL), naive, heads={"click": 1.0}, **training), naive, "click")
    ours = told_users(trained(ContextTransformer(**SMALL), dataset, **training), dataset, "conversion")
    assert low[10:].mean() < 0.75 * CHANCE[10:].mean()
    assert too_much(ours) < 0.5 * too_much(low)


@pytest.mark.parametrize(
    "model", [BiasedMF(width=4), FactorisationMachine(width=4), NCF(width=4), TensorFactorisation(width=4), ContextTransformer(**SMALL)], ids=repr
)
def test_nothing_later_is_looked_at(model: Learned) -> None:
    """Training on all that is known at day 90, with the test from day 50 on, is training on a log that ends there."""
    states = []
    for until in (90.0, 50.0):
        dataset = shop(until, users=30)
        split = ByTime(validation=0, test_from=50 * DAY).divide(dataset)
        assert len(split.test)
        states.append(trained(type(model)(**model.settings()), dataset, split, epochs=1).model.state())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


@pytest.mark.parametrize("model", [FactorisationMachine(width=4), ContextTransformer(**SMALL)], ids=repr)
def test_a_saved_head_says_the_same(model: Model, tmp_path: Path) -> None:
    recommender = trained(model, shop(users=30), epochs=2)
    germane.save(recommender, tmp_path / "run")
    again = germane.load(tmp_path / "run")
    np.testing.assert_array_equal(told(again, "conversion"), told(recommender, "conversion"))
    assert ((told(again) > 0) & (told(again) < 1)).all()
    with pytest.raises(AbilityError, match="has no click head; it was trained for conversion"):
        told(again, "click")
    recommender.add_items(pl.DataFrame({"item": ["new"]}))
    new = recommender.score(pl.DataFrame({"user": ["u1"], "item": ["new"]}))
    assert 0 < new[0] < 1


def test_clicks_whose_window_has_passed_are_judged() -> None:
    dataset = shop(until=90, within=20)
    split = ByTime(validation_from=40 * DAY, test_from=50 * DAY).divide(dataset)
    recommender = trained(BiasedMF(width=2), dataset, split, metric="conversion_log_loss")
    judged = judge(recommender, dataset, split, NO_LISTS)
    figures = judged.rows[0]["metrics"]
    assert set(figures) == {"conversion_auc", "conversion_log_loss", "conversion_normalised_entropy", "conversion_ece"}
    assert all(figure["low"] <= figure["value"] <= figure["high"] for figure in figures.values())
    rows = judged.pairs.drop_nulls(["converted", "conversion"])
    assert rows.height == (dataset.events["kind"].gather(split.test) == "click").sum() > 0  # the log goes on for 30 days
    bought = dataset.events["converted"].gather(rows["row"].to_numpy()).cast(float)
    assert rows["converted"].to_list() == bought.to_list()
    assert figures["conversion_auc"]["value"] > 0.55 and "conversion_log_loss" in str(judged)
    over = shop(until=60, within=20)  # nothing of the test has waited for 20 days
    late = ByTime(validation_from=30 * DAY, test_from=45 * DAY).divide(over)
    assert not judge(trained(BiasedMF(width=2), over, late, epochs=1), over, late, NO_LISTS).rows


def test_epochs_are_chosen_by_the_heads_own_figure() -> None:
    dataset = shop(until=90, within=20, users=40)
    split = ByTime(validation_from=40 * DAY, test_from=50 * DAY).divide(dataset)
    recommender = trained(BiasedMF(width=2), dataset, split, epochs=1)
    cases = cases_of(recommender, dataset, split, "validation", NO_LISTS)
    usual = Validation(recommender.model, cases, NO_LISTS)
    assert usual.metric == "conversion_auc" and not usual.smaller_is_better and 0 < usual() < 1
    assert Validation(recommender.model, cases, NO_LISTS, "conversion_ece").smaller_is_better
    with pytest.raises(ConfigError, match=r"metric = 'auc': choose .* conversion_auc, conversion_log_loss"):
        Validation(recommender.model, cases, NO_LISTS, "auc")
    open_ = ByTime(validation_from=75 * DAY, test_from=80 * DAY).divide(dataset)
    with pytest.raises(ConfigError, match=r"metric = 'conversion_auc' cannot be told: clicks whose window has passed are not of both outcomes"):
        Validation(recommender.model, cases_of(recommender, dataset, open_, "validation", NO_LISTS), NO_LISTS, "conversion_auc")


def four_heads() -> Dataset:
    """Shown, clicked, rated, bought: all that the flagship can learn of one log."""
    rng = np.random.default_rng(0)
    frame = clicks(60, 90.0).with_columns(label=pl.lit(1), stars=pl.lit(None, pl.Int64))
    told = frame.with_columns(stars=pl.when(pl.col("kind") == "buy").then(pl.Series(rng.integers(1, 6, frame.height))))
    shown = frame.sample(400, seed=1).with_columns(kind=pl.lit("view"), label=pl.lit(0))
    columns = {**COLUMNS, "label": "label", "value": "stars"}
    return Dataset.from_frames(
        pl.concat([told, shown]), columns=columns, rules={"target": "click", "conversion": {"of": "click", "by": "buy", "within": 30}}
    )


def test_all_heads_learn_at_once() -> None:
    dataset = four_heads()
    split = ByTime(validation_from=40 * DAY, test_from=50 * DAY).divide(dataset)
    heads = {"ranking": 1.0, "click": 0.5, "rating": 0.2, "conversion": 0.5}
    recommender = Recommender(ContextTransformer(**SMALL), features=(), exclude_seen=False)
    lists = EvaluationOptions(exclude_seen=False)
    fit(recommender, dataset, split, TrainingOptions(heads=heads, epochs=2, batch=16), evaluation=lists)
    figures = judge(recommender, dataset, split, lists).rows[0]["metrics"]
    assert {"ndcg@10", "auc", "log_loss", "rmse", "conversion_auc", "conversion_log_loss"} <= set(figures)
    assert figures["auc"] != figures["conversion_auc"]
    model = recommender.model
    assert isinstance(model, ContextTransformer) and model.look is not None
    table = recommender.table(dataset, visible=split.train)
    batch = next(iter(Timelines(table, 20, 16).draw(np.random.default_rng(0))))
    losses = model.train().loss(batch, model.objective)
    assert set(losses) == set(heads)
    model.zero_grad()
    losses["conversion"].backward()
    assert {name for name, part in model.look.out.items() if part.weight.grad is not None} == {"conversion", "delay"}
    click, bought, stars = (told(recommender, head) for head in ("click", "conversion", "rating"))
    assert ((click * bought < click) & (stars >= 1)).all()
    np.testing.assert_array_equal(told(recommender), click)  # the first of the heads, unasked


def test_a_run_of_a_config_and_its_scores(tmp_path: Path) -> None:
    clicks(60, 90.0).drop("so_far").write_parquet(tmp_path / "log.parquet")
    (tmp_path / "c.toml").write_text(
        """
        [data]
        events = "log.parquet"
        columns = {time = "time", kind = "kind"}
        rules = {conversion = {of = "click", by = "buy", within = 20}}
        [split]
        use = "ByTime"
        validation_from = 3_456_000  # day 40
        test_from = 4_320_000
        [model]
        use = "FactorisationMachine"
        width = 2
        [training]
        heads = {conversion = 1.0}
        metric = "conversion_auc"
        epochs = 2
        [evaluation]
        k = []
        baselines = ["BiasedMF"]
        """
    )
    assert check(tmp_path / "c.toml").notes == []
    run, judged = train_run(tmp_path / "c.toml", tmp_path / "run")
    assert [row["name"] for row in judged.rows if row["segment"] == "all" and row["variant"] == "as trained"] == ["FactorisationMachine", "BiasedMF"]
    assert 0 <= judged.rows[0]["p_against"]["BiasedMF"] <= 1
    assert pl.read_parquet(run / "per_user.parquet")["conversion_log_loss"].count() == 60
    (tmp_path / "pairs.csv").write_text("user,item\nu1,i3\nnobody,i4\n")
    assert score_file(run, tmp_path / "pairs.csv", tmp_path / "s.csv", head="conversion") == (2, 0)
    assert pl.read_csv(tmp_path / "s.csv")["score"].is_between(0, 1).all()
    late = check(tmp_path / "c.toml", sets=["data.rules.conversion.within=60"], timed=False)
    assert [note.detail for note in late.notes] == [
        f"no {part} click is 60 days older than the newest event: what converts cannot be told there" for part in ("validation", "test")
    ]


def test_a_rare_outcome_is_among_the_cases_that_are_timed() -> None:
    """Of thousands of validation rows some hundred are timed: a figure that all of them can tell is no error there."""
    dataset = shop(until=90, within=20, users=200)
    split = ByTime(validation_from=40 * DAY, test_from=55 * DAY).divide(dataset)
    found = dataset.events["converted"].gather(_cases(dataset, split, "conversion_auc"))
    assert found.null_count() == 0 and found.sum() == SAMPLE // 2 == (~found).sum()
    assert dataset.events["converted"].gather(_cases(dataset, split, None)).null_count()


def test_a_blend_mixes_logits() -> None:
    dataset = shop(until=90, within=20, users=60)
    split = ByTime(validation_from=40 * DAY, test_from=50 * DAY).divide(dataset)
    blend = Blend(members=[{"use": "BiasedMF", "width": 2}, {"use": "FactorisationMachine", "width": 2}])
    recommender = trained(blend, dataset, split, epochs=2)
    weights = blend.mixed["conversion"] / blend.mixed["conversion"].sum()
    queries, items = recommender.batch([germane.Query(user="u1")]), torch.arange(20)[None]
    logits = torch.stack([member.conversions(queries, items) for member in blend.members])
    torch.testing.assert_close(blend.predict(queries, items, "conversion"), torch.einsum("m,mbn->bn", weights, logits).double().sigmoid())


def test_of_two_models_the_first_tells() -> None:
    dataset = shop(until=90, within=20, users=60)
    split = ByTime(validation_from=40 * DAY, test_from=50 * DAY).divide(dataset)
    two = TwoStage(first={"use": "ContextTransformer", **SMALL}, ranker={"use": "CrossNetwork", "epochs": 1}, among=9)
    recommender = Recommender(two, features=(), exclude_seen=False)
    fit(recommender, dataset, split, TrainingOptions(heads={"ranking": 1.0, "conversion": 0.5}, epochs=1))
    queries, items = recommender.batch([germane.Query(user="u1")]), torch.arange(20)[None]
    torch.testing.assert_close(two.predict(queries, items, "conversion"), two.first.predict(queries, items, "conversion"))


def test_what_cannot_be_learnt_is_refused_before_training() -> None:
    plain = Dataset.from_frames(clicks(5), columns=COLUMNS)
    with pytest.raises(
        DataError, match=r"a conversion head learns .* write conversion = \{of = \"click\", by = \"buy\", within = 30\} in \[data.rules\]"
    ):
        trained(BiasedMF(), plain)
    with pytest.raises(ConfigError, match=r"asks for conversion, and EASE gives ranking only; models that do are .*BiasedMF.*ContextTransformer"):
        trained(EASE(), shop(users=5))
    with pytest.raises(ConfigError, match=r"BiasedMF learns one head, and .* asks for click and conversion; ContextTransformer learns several"):
        trained(BiasedMF(), shop(users=5), heads={"click": 1.0, "conversion": 1.0})
    rows = {"user": list("aabba"), "item": list("xyxyx"), "kind": ["click"] * 4 + ["buy"], "time": [1.0, 2.0, 3.0, 4.0, 9.0]}
    never = Dataset.from_frames(rows, columns=COLUMNS, rules={"conversion": {"of": "click", "by": "buy", "within": 1}})
    with pytest.raises(DataError, match=r"none of 4 training events of the kind 'click' has converted by the end of training"):
        trained(BiasedMF(), never, ByTime(validation=0, test_from=5.0).divide(never))
    with pytest.raises(AbilityError, match="NCF has no conversion head; it was trained for click"):
        told(trained(NCF(width=2), shop(users=5), heads={"click": 1.0}, epochs=1), "conversion")
    split = Random(validation=0.1, test=0.1).divide(shop(users=10))
    assert 0 < told(trained(BiasedMF(width=2), shop(users=10), split, epochs=1))[0] < 1
