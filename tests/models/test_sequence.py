"""``SASRec`` and ``GRU``: what both owe to the order of events."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from germane.batches import EventTable, QueryBatch, Timelines
from germane.data import Dataset, LeaveLastOut
from germane.errors import ConfigError
from germane.evaluation import EvaluationOptions
from germane.jobs.train import fit, judge, train
from germane.losses import Objective
from germane.models import GRU, ItemNeighbours, Model, SASRec
from germane.models.classics.sequence import SequenceModel
from germane.recommender import Recommender
from germane.testing.model_contract import small_shop
from germane.training import TrainingOptions
from germane.types import Query

KINDS = (SASRec, GRU)
UNKNOWN = 24
"""The code of an item of ``shop_of`` that nobody took."""


def cycle(items: int = 12, users: int = 60, runs: int = 10) -> Dataset:
    """After item k comes k + 1, round and round; every third step goes anywhere. All took all, so only order tells anything, never who took what."""
    first = np.random.default_rng(0).integers(0, items, (users, runs))
    rows = [
        (f"u{user}", f"i{(first[user, run] + step) % items}", 1000.0 * (3 * run + step) + user)
        for user in range(users)
        for run in range(runs)
        for step in range(3)
    ]
    return Dataset.from_frames(pl.DataFrame(rows, schema=["user", "item", "time"], orient="row"), columns={"time": "time"})


def hits(model: Model) -> float:
    """How often the one right item stands first."""
    dataset = cycle()
    split = LeaveLastOut().divide(dataset)
    recommender = Recommender(model, exclude_seen=False)
    fit(recommender, dataset, split, TrainingOptions(epochs=6, batch=8, warmup=5, learning_rate=1e-2))
    return judge(recommender, dataset, split, EvaluationOptions(exclude_seen=False, k=(1,))).value("hit@1")


@pytest.mark.parametrize("model", [SASRec(width=16, blocks=1), GRU(width=16)], ids=repr)
def test_order_alone_decides(model: SequenceModel) -> None:
    assert hits(model) > 0.95


def test_who_took_what_tells_nothing_there() -> None:
    assert hits(ItemNeighbours(neighbours=12)) < 0.3


def shop_of(kind: type[SequenceModel], **options: float) -> tuple[SequenceModel, EventTable]:
    """An untrained model of the small shop, which holds one item more than anybody took, and the shop's training events."""
    shop = small_shop()
    items = pl.DataFrame({"item": [*shop.items["id"], "nobody's"]})
    events = pl.DataFrame({"user": shop.user_codes, "item": shop.items["id"].gather(shop.item_codes), "time": shop.times})
    dataset = Dataset.from_frames(events, items, columns={"time": "time"})
    torch.manual_seed(0)
    recommender = Recommender(kind(**{"width": 8, "length": 6, "dropout": 0.0} | options))
    recommender.prepare(dataset)
    model = recommender.model
    assert isinstance(model, SequenceModel) and not model.known[UNKNOWN] and model.known[:UNKNOWN].all()
    torch.nn.init.normal_(model.start)  # as if learnt: zeros would hide much
    return model, recommender.table(dataset)


def vectors(model: SequenceModel, table: EventTable, history: list[list[int]]) -> torch.Tensor:
    queries: QueryBatch = table.queries(np.arange(len(history)), 1)
    with torch.inference_mode():
        return model.eval().query_vectors(replace(queries, history=torch.tensor(history)))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=20, deadline=None)
@given(history=st.lists(st.integers(0, UNKNOWN - 1), min_size=0, max_size=14), pads=st.integers(1, 5))
def test_only_the_newest_are_read_and_padding_is_not(kind: type[SequenceModel], history: list[int], pads: int) -> None:
    model, table = shop_of(kind)
    whole = vectors(model, table, [[-1] * pads + history])
    cut = vectors(model, table, [[-1, *history[-6:]]])
    torch.testing.assert_close(whole, cut, atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_events_of_unknown_items_are_left_out(kind: type[SequenceModel]) -> None:
    model, table = shop_of(kind)
    told = vectors(model, table, [[-1, 3, UNKNOWN, 5, UNKNOWN], [1, 2, 3, 4, 5]])
    torch.testing.assert_close(told, vectors(model, table, [[-1, -1, -1, 3, 5], [1, 2, 3, 4, 5]]))
    torch.testing.assert_close(vectors(model, table, [[UNKNOWN]]), vectors(model, table, [[-1]]))


@pytest.mark.parametrize("kind", KINDS)
def test_training_reads_a_history_as_a_query_does(kind: type[SequenceModel]) -> None:
    """Every place of a stretch has the state of a query that was asked there."""
    model, table = shop_of(kind)
    model.eval()
    for batch in Timelines(table, 6, 16).draw(np.random.default_rng(0)):
        history = batch.queries.history
        with torch.inference_mode():
            states = model._read(history)
        for place in range(history.shape[1]):
            torch.testing.assert_close(states[:, place], vectors(model, table, history[:, : place + 1].tolist()), atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("loss", ["softmax", "sampled_softmax", "bce", "gbce", "bpr"])
def test_what_training_does_not_know_learns_nothing(kind: type[SequenceModel], loss: str) -> None:
    model, table = shop_of(kind)
    batch = next(Timelines(table, 6, 64).draw(np.random.default_rng(0)))
    objective = Objective(loss, 256)  # type: ignore[arg-type]
    model.loss(batch, objective)["ranking"].backward()
    gradient = model.items.weight.grad
    assert gradient is not None and gradient[UNKNOWN].abs().max() == 0
    assert gradient[:UNKNOWN].abs().amax(1).min() > 0
    assert model.start.grad is not None and model.start.grad.abs().max() > 0  # some were asked before they did anything
    assert bool((model.item_vectors(torch.tensor([UNKNOWN])) == 0).all())


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_without_targets_teaches_nothing(kind: type[SequenceModel]) -> None:
    model, table = shop_of(kind)
    batch = next(Timelines(table, 6, 16).draw(np.random.default_rng(0)))
    loss = model.loss(replace(batch, targets=torch.full_like(batch.targets, -1)), Objective())["ranking"]
    loss.backward()
    assert loss.item() == 0 and all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_with_added_items_comes_back(kind: type[SequenceModel], tmp_path) -> None:  # type: ignore[no-untyped-def]
    import germane

    recommender = train(Recommender(kind(width=8, length=6)), small_shop(), training=TrainingOptions(epochs=1))
    recommender.add_items(pl.DataFrame({"item": ["new"], "title": ["umbrella boots"]}))
    query = Query(history=("i3", "new", "i5"), candidates=("i1", "new", "i2"))
    before = [(place.item, place.score) for place in recommender.recommend(query).items]
    assert dict(before)["new"] == 0
    germane.save(recommender, tmp_path / "run")
    assert [(place.item, pytest.approx(place.score)) for place in germane.load(tmp_path / "run").recommend(query).items] == before


def test_heads_must_divide_width() -> None:
    with pytest.raises(ConfigError, match="SASRec: width 10 is not a multiple of heads 4: choose heads that divide it"):
        train(Recommender(SASRec(width=10, heads=4)), small_shop())


@pytest.mark.parametrize(("kind", "given"), [(SASRec, {"blocks": 0}), (GRU, {"layers": 0}), (GRU, {"dropout": 1.0}), (SASRec, {"length": 0})])
def test_options_out_of_range_are_refused(kind: type[SequenceModel], given: dict[str, float]) -> None:
    name = next(iter(given))
    with pytest.raises(ConfigError, match=f"{kind.__name__} option {name} = .* should be"):
        kind(**given)


@pytest.mark.parametrize("kind", KINDS)
def test_a_hidden_event_says_nothing_and_those_around_it_are_read(kind: type[SequenceModel]) -> None:
    """As ``augment = {mask = …}`` leaves histories in training."""
    model = kind(width=8, length=10)
    recommender = Recommender(model)
    torch.manual_seed(0)
    recommender.prepare(small_shop())
    model.eval()
    histories = torch.tensor([[-1, 1, 2, 3], [-1, 1, -1, 3], [-1, 4, -1, 3], [-1, 1, 5, 3]])
    with torch.no_grad():
        whole, hidden, other, last = model._read(histories)
        alone = model._read(torch.tensor([[-1, 1]]))[0]
    assert torch.allclose(hidden[:2], alone, atol=1e-6) and torch.allclose(hidden[0], whole[0], atol=1e-6)  # the past does not know of it
    assert not torch.allclose(hidden[3], whole[3], atol=1e-4) and not torch.allclose(whole[3], last[3], atol=1e-4)
    assert not torch.allclose(hidden[3], other[3], atol=1e-4)  # what came before the hole still counts
