"""Accumulated gradients: several small batches learn what a large one does."""

from __future__ import annotations

import sys
from dataclasses import is_dataclass, replace
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from torch import Tensor

from germane import Recommender
from germane.batches import Rows, Timelines
from germane.data import NoSplit
from germane.encoders import HashedText
from germane.jobs.train import fit
from germane.losses import in_common
from germane.models import BiasedMF, ContextTransformer, DCNv2, DeepMF, Learned, SASRec
from germane.testing.model_contract import small_shop
from germane.training import Told, TrainingOptions, train_model


class Enough(Exception):
    """So many steps are taken."""


def exactly(part: Any) -> Any:
    """A batch in float64."""
    if is_dataclass(part) and not isinstance(part, type):
        return type(part)(**{name: exactly(inner) for name, inner in vars(part).items()})
    return part.double() if isinstance(part, Tensor) and part.is_floating_point() else part


class Exact:
    """Reads batches in float64."""

    def loss(self, batch: Any, objective: Any) -> dict[str, Tensor]:
        told: dict[str, Tensor] = super().loss(exactly(batch), objective)  # type: ignore[misc]
        return told


class ExactContext(Exact, ContextTransformer):
    pass


class ExactSASRec(Exact, SASRec):
    pass


class ExactMF(Exact, BiasedMF):
    pass


class ExactDeepMF(Exact, DeepMF):
    pass


class ExactDCN(Exact, DCNv2):
    pass


def after(model: Learned, batch: int, accumulate: int, steps: int, **options: Any) -> dict[str, Tensor]:
    """All weights after so many steps, in float64."""
    dataset = small_shop()
    said = TrainingOptions(batch=batch, accumulate=accumulate, epochs=10, warmup=0, negatives=12, **options)
    model.objective = said.objective(model)
    recommender = Recommender(model, text=HashedText(width=32), seed=1)
    torch.manual_seed(0)
    recommender.prepare(dataset)
    model.warm(dataset, recommender.content)
    model.double()
    table = recommender.table(dataset)
    feed = Timelines(table, 5, batch) if model.learns_from == "timelines" else Rows(table, np.arange(len(dataset)), batch, length=1)
    taken = [0]

    def told(step: Told) -> None:
        taken[0] += not step.ended
        if taken[0] == steps:
            raise Enough

    with pytest.raises(Enough):
        train_model(model, feed, said, seed=3, progress=told)
    return {name: tensor.detach().clone() for name, tensor in model.named_parameters()}


MODELS = {
    "ContextTransformer": lambda: ExactContext(width=8, blocks=1, heads=1, length=8, dropout=0.0, identity_dropout=0.3, context_dropout=0.0),
    "SASRec": lambda: ExactSASRec(width=8, blocks=1, length=8, dropout=0.0),
}


@pytest.mark.parametrize("loss", ["softmax", "sampled_softmax"])
@pytest.mark.parametrize("name", MODELS)
def test_accumulation_equals_the_large_batch(name: str, loss: str) -> None:
    large, small = (after(MODELS[name](), batch, accumulate, 10, loss=loss) for batch, accumulate in ((12, 1), (4, 3)))
    apart = max((large[name] - small[name]).abs().max().item() for name in large)
    assert apart <= 1e-6
    start = after(MODELS[name](), 12, 1, 1, loss=loss)
    assert max((large[name] - start[name]).abs().max().item() for name in large) > 1e-3  # something was learned


def test_rows_accumulate_too() -> None:
    large, small = (after(ExactMF(width=4), batch, accumulate, 10, heads={"rating": 1.0}) for batch, accumulate in ((96, 1), (32, 3)))
    assert max((large[name] - small[name]).abs().max().item() for name in large) <= 1e-6


def test_rows_accumulate_where_nothing_is_standardised_over_them() -> None:
    """As the note of ``germane check`` promises of ``norm = false``."""
    said = {"heads": {"rating": 1.0}}
    large, small = (after(ExactDCN(width=4, layers=(16,), norm=False), *size, 10, **said) for size in ((96, 1), (32, 3)))
    assert max((large[name] - small[name]).abs().max().item() for name in large) <= 1e-6


@pytest.mark.parametrize("heads", [{"ranking": 1.0, "rating": 0.5}, {"ranking": 1.0, "conversion": 2.0}], ids=lambda heads: list(heads)[1])
def test_heads_that_learn_from_some_events_accumulate_too(heads: dict[str, float], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each head's loss is a mean over its own events, of which one batch holds more than another."""
    whole = small_shop()
    some = pl.Series(np.random.default_rng(0).random(len(whole)) < np.linspace(0.1, 0.9, len(whole)))
    told = [pl.when(some).then(pl.col("value")).alias("value")]
    clicks = [pl.when(some).then(pl.col("value") > 3).alias("converted"), pl.lit(50.0).alias("waited")]
    shop = replace(whole, events=whole.events.with_columns(told if "rating" in heads else clicks))
    monkeypatch.setattr(sys.modules[__name__], "small_shop", lambda: shop)
    sizes = ((12, 1), (4, 3))
    large, small = (after(MODELS["ContextTransformer"](), *size, 10, heads=heads, loss="softmax") for size in sizes)
    assert max((large[weight] - small[weight]).abs().max().item() for weight in large) <= 1e-6


def test_clicks_against_drawn_items_accumulate_too() -> None:
    """Of what is drawn beside a target, some is in its own stretch and does not count: more in one batch than in another."""
    said = {"heads": {"ranking": 0.5, "click": 1.0}, "loss": "softmax", "learning_rate": 1e-3}
    large, small = (after(MODELS["ContextTransformer"](), batch, accumulate, 4, optimiser="sgd", **said) for batch, accumulate in ((12, 1), (4, 3)))
    assert max((large[weight] - small[weight]).abs().max().item() for weight in large) <= 1e-9


def test_l2_of_rows_of_unequal_weight_accumulates_too(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = small_shop()
    shop = replace(whole, events=whole.events.with_columns(weight=pl.Series(np.linspace(0.1, 1.0, len(whole)))))
    monkeypatch.setattr(sys.modules[__name__], "small_shop", lambda: shop)
    large, small = (after(ExactMF(width=4, l2=0.1), batch, accumulate, 10, heads={"rating": 1.0}) for batch, accumulate in ((96, 1), (32, 3)))
    assert max((large[name] - small[name]).abs().max().item() for name in large) <= 1e-6


@pytest.mark.parametrize(("heads", "loss"), [({"rating": 1.0}, "mse"), ({"rating": 1.0}, "ordinal"), ({"click": 1.0}, "mse")])
def test_pairs_that_teach_nothing_accumulate_too(heads: dict[str, float], loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One in ten events: many an item has one taker, whose pair is left out, and some batches hold more of them than others."""
    whole = small_shop()
    few = whole.take(np.flatnonzero(np.random.default_rng(0).random(len(whole)) < 0.12))
    few = replace(few, events=few.events.with_columns(label=pl.Series(np.arange(len(few)) % 2)))
    assert (np.bincount(few.item_codes) == 1).sum() > 5
    monkeypatch.setattr(sys.modules[__name__], "small_shop", lambda: few)
    said = {"heads": heads, "rating_loss": loss, "optimiser": "sgd", "learning_rate": 0.1}
    large, small = (after(ExactDeepMF(layers=(8,), blank=0.0), batch, accumulate, 10, **said) for batch, accumulate in ((24, 1), (8, 3)))
    assert max((large[name] - small[name]).abs().max().item() for name in large) <= 1e-6


@pytest.mark.parametrize("augment", [{"crop": 1.0}, {"insert": 1.0}])
def test_schedules_end_with_the_epochs_whatever_is_cut(augment: dict[str, float]) -> None:
    """Stretches that are cut in two make up to twice as many steps an epoch: the rate falls all the way, and reaches 0 with the very last."""
    dataset, rates = small_shop(), []

    def told(step: Told) -> None:
        if not step.ended:
            rates.append(step.rate)

    options = TrainingOptions(batch=4, epochs=3, warmup=0, schedule="linear", augment=augment)
    fit(Recommender(SASRec(width=4, blocks=1, length=8)), dataset, NoSplit().divide(dataset), options, progress=told)
    assert len(rates) > 3 * len(dataset) // 8 // 4
    assert rates == sorted(rates, reverse=True)
    assert 0 < rates[-1] == pytest.approx(options.rate / len(rates), rel=0.5)


@pytest.mark.parametrize("batches", [1, 2, 3])
def test_a_step_holds_the_stretches_that_a_larger_batch_would(batches: int) -> None:
    dataset = small_shop()
    recommender = Recommender(SASRec(width=4, blocks=1))
    recommender.prepare(dataset)
    table = recommender.table(dataset)
    small, large = Timelines(table, 5, 7), Timelines(table, 5, 7 * batches)

    def targets(group: Any) -> list[int]:
        return sorted(int(item) for batch in group for item in batch.targets[batch.targets >= 0])

    steps = list(small.steps(np.random.default_rng(5), batches))
    assert [targets(step) for step in steps] == [targets([batch]) for batch in large.draw(np.random.default_rng(5))]
    assert max(len(step) for step in steps) == batches
    assert max(len(batch.targets) for step in steps for batch in step) == 7
    assert sum(len(targets(step)) for step in steps) == len(dataset)


def test_rows_come_as_many_batches_a_step() -> None:
    dataset = small_shop()
    recommender = Recommender(BiasedMF(width=4))
    recommender.prepare(dataset)
    table = recommender.table(dataset)
    sizes = [[len(batch) for batch in step] for step in Rows(table, np.arange(100), 30).steps(np.random.default_rng(0), 3)]
    assert sizes == [[30, 30, 30], [10]]


def test_what_a_step_draws_is_its_own() -> None:
    """The same for all batches of a step, other draws for the next."""

    class Heard(ExactSASRec):
        draws: list[int]

        def loss(self, batch: Any, objective: Any) -> dict[str, Tensor]:
            self.draws.append(int(torch.randint(1 << 30, (), generator=in_common())))
            return super().loss(batch, objective)

    model = Heard(width=8, blocks=1, length=8, dropout=0.0)
    model.draws = []
    after(model, 4, 3, 4, loss="sampled_softmax")
    groups = [model.draws[begin : begin + 3] for begin in range(0, 12, 3)]
    assert all(len(set(group)) == 1 for group in groups)
    assert len({group[0] for group in groups}) == 4
