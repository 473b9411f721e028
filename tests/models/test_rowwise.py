"""Models that score a row at a time: their contracts, what each adds to the product, and what they learn of a known truth."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from pydantic import ValidationError

from germane import Query, Recommender
from germane.batches import QueryBatch
from germane.data import Dataset, NoSplit, Random
from germane.errors import ConfigError, DataError
from germane.evaluation import EvaluationOptions
from germane.jobs.train import fit, judge
from germane.losses import Objective
from germane.models import (
    NCF,
    BiasedMF,
    Blend,
    ContextTransformer,
    DCNv2,
    FactorisationMachine,
    Model,
    Popular,
    RowWise,
    TensorFactorisation,
    TwoEmbeddings,
)
from germane.testing.model_contract import small_shop
from germane.training import TrainingOptions

EVERY: list[RowWise] = [
    TwoEmbeddings(width=4),
    BiasedMF(width=4),
    FactorisationMachine(width=4),
    NCF(width=4),
    TensorFactorisation(width=4),
    TensorFactorisation(width=4, form="train"),
    DCNv2(width=4, layers=(8,)),
    DCNv2(width=4, layers=(8,), memory=3),
]
"""One of each."""
OF_MOMENTS = [model for model in EVERY if "context" in model.abilities.reads]


def ratings(seed: int = 0) -> Dataset:
    """30 users rate 20 items in rain and sun: half a star hangs on the user, half on the item, one on user, item and weather together."""
    rng = np.random.default_rng(seed)
    users, items = np.repeat(np.arange(30), 60), rng.integers(0, 20, 1800)
    rain = rng.integers(0, 2, 1800)
    taste = np.where((users % 2 == items % 2) ^ (rain == 1), 1.0, -1.0)
    values = (3 + 0.5 * np.sign(users % 3 - 1) + 0.5 * np.sign(items % 3 - 1) + taste * (items % 4 > 1)).clip(1, 5).round()
    events = {"user": [f"u{u}" for u in users], "item": [f"i{i}" for i in items], "stars": values, "weather": np.where(rain, "rain", "sun")}
    return Dataset.from_frames(pl.DataFrame(events), columns={"value": "stars", "context": ["weather"]})


def fitted(model: Any, dataset: Dataset, training: TrainingOptions, seed: int = 0) -> tuple[Recommender, Any]:
    recommender = Recommender(type(model)(**model.settings()), seed=seed, exclude_seen=False)
    split = Random(validation=0.1, test=0.2).divide(dataset)
    fit(recommender, dataset, split, training, evaluation=EvaluationOptions(k=()))
    return recommender, judge(recommender, dataset, split, EvaluationOptions(k=()))


@pytest.mark.parametrize("kind", ["mse", "bce", "ordinal"])
def test_every_rating_loss_beats_the_mean(kind: Any) -> None:
    dataset = ratings()
    training = TrainingOptions(heads={"rating": 1.0}, rating_loss=kind, epochs=15, batch=128, learning_rate=0.02, warmup=0)
    _, judged = fitted(BiasedMF(width=4), dataset, training)
    spread = float(dataset.events["value"].std())  # type: ignore[arg-type]
    assert judged.value("rmse") < 0.95 * spread
    assert judged.value("mae") <= judged.value("rmse")


@pytest.mark.parametrize("model", OF_MOMENTS, ids=repr)
def test_context_tells_more_than_ids(model: RowWise) -> None:
    """A star hangs on user, item and weather together: who reads the weather must come closer than the same model without."""
    dataset = ratings()
    training = TrainingOptions(loss="mse", epochs=40, batch=128, learning_rate=0.02, warmup=0, patience=40)
    wide = type(model)(**{**model.settings(), "width": 8})
    blind = wide.without_context()
    assert blind is not None
    split = Random(validation=0.1, test=0.2).divide(dataset)
    found = []
    for part in (wide, blind):
        recommender = Recommender(part, exclude_seen=False)
        fit(recommender, dataset, split, training, evaluation=EvaluationOptions(k=()))
        found.append(judge(recommender, dataset, split, EvaluationOptions(k=())).value("rmse"))
    assert found[0] < found[1]


@pytest.mark.parametrize("model", [model for model in EVERY if "context" not in model.abilities.reads], ids=repr)
def test_who_reads_ids_only_is_moved_by_nothing_else(model: RowWise) -> None:
    recommender, _ = fitted(model, ratings(), TrainingOptions(loss="mse", epochs=1))
    assert recommender.model.without_context() is None
    queries = recommender.batch([_asked("u1", "rain"), _asked("u1", "sun")])
    scores = recommender.model.score(queries)
    assert torch.equal(scores[0], scores[1])


def _asked(user: str, weather: str) -> Query:
    return Query(user=user, context={"weather": weather})


def test_ratings_stay_on_the_scale_and_in_its_unit() -> None:
    recommender, _ = fitted(FactorisationMachine(width=4), ratings(), TrainingOptions(loss="mse", epochs=3))
    said = recommender.score(pl.DataFrame({"user": ["u1", "stranger", "u2"], "item": ["i1", "i2", "nothing"], "weather": ["rain", "sun", "rain"]}))
    assert ((said[:2] >= 1) & (said[:2] <= 5)).all() and np.isnan(said[2])


def test_a_factorisation_machine_scores_the_catalogue_as_it_scores_rows() -> None:
    recommender, _ = fitted(FactorisationMachine(width=4), ratings(), TrainingOptions(loss="mse", epochs=2))
    model = recommender.model
    assert isinstance(model, FactorisationMachine)
    queries = recommender.batch([_asked("u1", "rain"), _asked("u2", "sun")])
    whole = model.score(queries)
    every = torch.arange(model.n_items).expand(2, -1)
    by_rows = RowWise.pairs(model, model.fields.asked(queries).beside(), model.fields.offered(every))
    by_product = model.pairs(model.fields.asked(queries).beside(), model.fields.offered(every[0]))
    torch.testing.assert_close(by_product, by_rows)
    assert whole.shape == (2, 20)


def test_a_tensor_without_context_is_a_product() -> None:
    recommender, _ = fitted(TensorFactorisation(width=4), ratings(), TrainingOptions(loss="mse", epochs=2))
    model = recommender.model
    assert isinstance(model, TensorFactorisation)
    queries: QueryBatch = recommender.batch([_asked("u1", "rain")]).without_moment()
    asked, offered = model.fields.asked(queries), model.fields.offered(torch.arange(model.n_items))
    product = offered.item @ asked.user[0]
    weights = model.weights
    assert weights is not None
    alone = model.bias + weights.asked(queries).user[0, 0] + weights.offered(torch.arange(model.n_items)).item[:, 0]
    torch.testing.assert_close(model.score(queries)[0], product + alone)


def test_labels_are_learnt_where_there_are_any() -> None:
    """Even users take what has an even number and skip the rest: probabilities say so, and say it in the right size."""
    rng = np.random.default_rng(0)
    users, items = rng.integers(0, 20, 4000), rng.integers(0, 20, 4000)
    labels = (rng.random(4000) < np.where(users % 2 == items % 2, 0.8, 0.1)).astype(int)
    events = pl.DataFrame({"user": [f"u{u}" for u in users], "item": [f"i{i}" for i in items], "label": labels})
    dataset = Dataset.from_frames(events, columns={"label": "label"})
    training = TrainingOptions(epochs=12, batch=256, learning_rate=0.02, warmup=0)
    recommender, judged = fitted(BiasedMF(width=4), dataset, training)
    assert judged.value("auc") > 0.8 and judged.value("ece") < 0.06
    p = recommender.score(pl.DataFrame({"user": ["u0", "u0"], "item": ["i2", "i3"]}))
    assert p[0] == pytest.approx(0.8, abs=0.15) and p[1] == pytest.approx(0.1, abs=0.15)


def test_two_heads_and_absent_ones_are_refused_before_training() -> None:
    dataset, events = ratings(), Dataset.from_frames({"user": list("ab") * 20, "item": list("xyyx") * 10})
    with pytest.raises(ConfigError, match=r"BiasedMF learns one head, and .* asks for click and rating; ContextTransformer"):
        fitted(BiasedMF(width=4), dataset, TrainingOptions(heads={"click": 1.0, "rating": 1.0}))
    with pytest.raises(ConfigError, match=r"asks for rating, and Popular gives ranking only; models that do are .*BiasedMF"):
        fitted(Popular(), dataset, TrainingOptions(loss="mse"))
    with pytest.raises(ConfigError, match=r"asks for ranking, and NCF gives click, conversion, rating only; models that do are .*ContextTransformer"):
        fitted(NCF(), dataset, TrainingOptions(heads={"ranking": 1.0}))
    with pytest.raises(DataError, match="no event has one: name their column by value"):
        fitted(BiasedMF(width=4), events, TrainingOptions(loss="mse"))
    with pytest.raises(ValidationError, match="should have a weight above 0"):
        TrainingOptions(heads={"click": 0.0})


def test_a_scale_without_two_ratings_is_refused() -> None:
    same = Dataset.from_frames({"user": list("ab") * 20, "item": list("xyyx") * 10, "stars": [3] * 40}, columns={"value": "stars"})
    with pytest.raises(DataError, match=r"all ratings are 3.0: a rating head needs at least two"):
        fitted(BiasedMF(width=4), same, TrainingOptions(loss="mse"))


def test_baselines_are_trained_for_what_they_give() -> None:
    asked = TrainingOptions(heads={"click": 1.0, "ranking": 0.5})
    assert dict(asked.suited(NCF()).objective(NCF()).heads) == {"click": 1.0}
    assert dict(asked.suited(Popular()).objective(Popular()).heads) == {"ranking": 0.5}
    assert dict(TrainingOptions(loss="mse").suited(Popular()).objective(Popular()).heads) == {"ranking": 1.0}


def test_a_saved_scale_comes_back() -> None:
    recommender, _ = fitted(BiasedMF(width=4), ratings(), TrainingOptions(loss="mse", rating_loss="ordinal", epochs=2))
    other = BiasedMF(width=4)
    other.objective = recommender.model.objective
    assert recommender.schema is not None
    other.prepare(recommender.schema, recommender.content, recommender.features)
    other.load_state({name: tensor.clone() for name, tensor in recommender.model.state().items()})
    queries = recommender.batch([_asked("u1", "rain")])
    items = torch.tensor([[0, 3, 5]])
    torch.testing.assert_close(other.predict(queries, items, "rating"), recommender.model.predict(queries, items, "rating"))


def test_long_vectors_cost() -> None:
    recommender, _ = fitted(DCNv2(width=4, layers=(8,)), ratings(), TrainingOptions(loss="mse", epochs=1))
    model = recommender.model
    assert isinstance(model, DCNv2)
    dataset = ratings()
    table = recommender.table(dataset)
    batch = table.rows_of(np.arange(64), 1)
    objective = Objective(heads={"rating": 1.0})
    plain = model.loss(batch, objective)["rating"]
    model.options = model.options.model_copy(update={"l2": 2.0})
    row = [model.fields.asked(batch.queries), model.fields.offered(batch.items)]
    length = sum(part.square().sum() for half in row for part in half.vectors()) / 64
    torch.testing.assert_close(model.loss(batch, objective)["rating"], plain + length)


def habits() -> Dataset:
    """Each of 40 users takes the same three of 30 items again and again, which no id tells ahead: users are new in the test part."""
    rng = np.random.default_rng(0)
    own = np.stack([rng.choice(30, 3, replace=False) for _ in range(40)])
    users = np.repeat(np.arange(40), 20)
    items = own[users, rng.integers(0, 3, len(users))]
    frame = {"user": [f"u{u}" for u in users], "item": [f"i{i}" for i in items]}
    times = np.arange(len(users)) % 20 * 86_400.0 + 1.7e9
    return Dataset.from_frames({**frame, "time": times}, columns={"time": "time"})


def test_a_memory_knows_what_a_new_user_takes_again() -> None:
    """Whose habits no id can tell: three of 30 items, by what the query says was taken."""
    dataset = habits()
    training = TrainingOptions(heads={"click": 1.0}, negatives=4, epochs=20, batch=256, learning_rate=0.01)
    recommender, _ = fitted(DCNv2(width=8, layers=(16,), memory=10), dataset, training)
    query = Query(history=("i4", "i9", "i4", "i2", "i9"))
    [slate] = recommender.recommend_many([query], 3, explain=True)
    assert {place.item for place in slate.items} == {"i4", "i9", "i2"}
    assert all({reason.kind: reason.weight for reason in place.reasons}["history"] > 0 for place in slate.items)
    without, _ = fitted(DCNv2(width=8, layers=(16,)), dataset, training)
    assert {place.item for place in without.recommend_many([query], 3, explain=True)[0].items} != {"i4", "i9", "i2"}


def test_a_memory_reads_no_further_back_than_it_is_long_and_never_ahead() -> None:
    dataset = habits()
    short, rows = DCNv2(width=4, layers=(8,), memory=3), np.arange(100, 140)
    recommender = Recommender(short, exclude_seen=False)
    recommender.model.objective = TrainingOptions(heads={"click": 1.0}).objective(short)
    recommender.prepare(dataset)
    table = recommender.table(dataset)
    with torch.no_grad():
        short.eval()
        told = [short.score(table.queries(rows, length)) for length in (3, 15)]
        assert torch.equal(*told)
        assert not torch.equal(told[0], short.score(table.queries(rows, 3).without_history()))
    batch = table.rows_of(rows, short.length)
    for row, history in zip(rows.tolist(), batch.queries.history.tolist(), strict=True):
        mine = np.flatnonzero(dataset.user_codes == dataset.user_codes[row])
        assert [item for item in history if item >= 0] == dataset.item_codes[mine[mine < row]][-3:].tolist()


def test_moments_of_a_history_are_gathered_for_who_reads_them() -> None:
    """A memory reads what was taken and when, and no weather of then; a blend gathers what one of its members reads."""
    dataset, rows, remembers = ratings(), np.arange(100, 140), {"use": "DCNv2", "memory": 3}
    for model, read in (
        (DCNv2(width=4, layers=(8,), memory=3), False),
        (ContextTransformer(width=4), True),
        (Blend(members=[remembers, {"use": "FactorisationMachine"}]), False),
        (Blend(members=[remembers, {"use": "ContextTransformer"}]), True),
    ):
        recommender = Recommender(model, exclude_seen=False)
        model.objective = TrainingOptions(heads={"rating": 1.0}).objective(model)
        recommender.prepare(dataset)
        queries = recommender.table(dataset).queries(rows, 3)
        assert model.wants_past_moments == read == bool(queries.history_moments.codes.shape[-1])
        assert queries.moment.codes.shape[-1] and queries.history.shape == (len(rows), 3)


def test_a_row_that_stands_alone_in_the_last_batch_is_learned_from() -> None:
    """Standardised over a batch of one it would have no spread."""
    dataset = small_shop()
    model = DCNv2(width=4, layers=(8,), crosses=1)
    batch = next(size for size in range(2, len(dataset)) if len(dataset) % size == 1)
    fit(Recommender(model, seed=1), dataset, NoSplit().divide(dataset), TrainingOptions(heads={"rating": 1.0}, epochs=1, batch=batch))
    assert all(bool(tensor.isfinite().all()) for tensor in model.parameters())
    assert model.options.norm


@pytest.mark.parametrize("model", [BiasedMF(width=4), NCF(width=4), DCNv2(width=4, layers=(8,)), ContextTransformer(width=8, user_identity=True)])
def test_users_without_training_events_are_strangers(model: Model) -> None:
    """Those that the users' table or the held-out part names, and nobody who trained: they are read like an id that nobody knows."""
    events = {"user": [f"u{n % 8}" for n in range(160)], "item": [f"i{n * 7 % 11}" for n in range(160)], "stars": [float(n % 5) for n in range(160)]}
    dataset = Dataset.from_frames(events, users={"user": [f"u{n}" for n in range(12)], "age": [n * 5 for n in range(12)]}, columns={"value": "stars"})
    heads = {"rating": 1.0} if isinstance(model, BiasedMF) else {"ranking": 1.0} if isinstance(model, ContextTransformer) else {"click": 1.0}
    recommender = Recommender(model, seed=1)
    fit(recommender, dataset, NoSplit().divide(dataset), TrainingOptions(heads=heads, epochs=2))
    asked = recommender.batch([Query(user=user, history=()) for user in ("u11", "nobody", "u3")])
    unseen, stranger, seen = model.score(replace(asked, profile=asked.profile[[1, 1, 1]]))
    torch.testing.assert_close(unseen, stranger)
    assert not torch.allclose(seen, stranger)
