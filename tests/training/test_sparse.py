"""Sparse gradients: the dense step for rows that are read, nothing for the others, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import nn

from germane.batches import Timelines
from germane.data import LeaveLastOut
from germane.encoders import HashedText
from germane.errors import ConfigError, TrainingError
from germane.evaluation import EvaluationOptions
from germane.jobs.train import fit, judge
from germane.models import GRU, ContextTransformer, DeepMF, Model, SASRec
from germane.recommender import Recommender
from germane.testing.model_contract import small_shop
from germane.training import TrainingOptions, checkpoints
from germane.training import sparse as tables
from germane.training.optimisers import optimisers_of
from germane.training.row_wise import RowWiseAdam
from germane.training.sparse import LazyAdam, clip_norm
from germane.training.step import Stepper


def stepped(rule: type[torch.optim.Optimizer], sparse: bool, reads: list[list[int]], **options: object) -> torch.Tensor:
    torch.manual_seed(0)
    table = nn.Embedding(10, 3, sparse=sparse)
    made = rule([table.weight], **options)  # type: ignore[arg-type]
    for rows in reads:
        made.zero_grad()
        table(torch.tensor(rows)).square().sum().backward()
        assert table.weight.grad is not None and table.weight.grad.is_sparse == sparse
        made.step()
    return table.weight.detach()


def test_rows_that_each_step_reads_go_as_with_adam_and_the_others_nowhere() -> None:
    reads = [[1, 4, 4], [4, 1], [1, 1, 4]]
    dense, sparse = stepped(torch.optim.Adam, False, reads, lr=0.1), stepped(LazyAdam, True, reads, lr=0.1)
    torch.testing.assert_close(sparse, dense, rtol=1e-5, atol=1e-6)
    torch.manual_seed(0)
    before = nn.Embedding(10, 3).weight.detach()
    assert (sparse != before).any(1).nonzero().ravel().tolist() == [1, 4]


def test_row_wise_steps_are_those_of_the_dense_gradient_whenever_a_row_is_read() -> None:
    reads = [[1, 4, 4], [2], [2, 2, 5], [1], [9], [4, 1]]
    dense, sparse = (stepped(RowWiseAdam, on, reads, rate=0.1, keep=0.9, weight_decay=0.0) for on in (False, True))
    torch.testing.assert_close(sparse, dense, rtol=1e-5, atol=1e-6)


def test_the_norm_is_that_of_both_kinds_together_and_of_rows_added_up() -> None:
    gradients = []
    for sparse in (False, True):
        torch.manual_seed(0)
        table, layer = nn.Embedding(10, 3, sparse=sparse), nn.Linear(3, 2)
        layer(table(torch.tensor([1, 4, 4]))).square().sum().mul(50).backward()
        norm = clip_norm([*table.parameters(), *layer.parameters()], 0.5)
        assert norm > 0.5
        gradients.append([norm, *(p.grad.to_dense() for p in (table.weight, layer.weight, layer.bias) if p.grad is not None)])
        parts = [p.grad.to_dense() for p in (table.weight, layer.weight, layer.bias) if p.grad is not None]
        assert torch.nn.utils.get_total_norm(parts).item() == pytest.approx(0.5, rel=1e-4)
    torch.testing.assert_close(*gradients)
    assert clip_norm([nn.Parameter(torch.ones(1))], 1.0).item() == 0  # no gradient at all


def prepared(model: Model) -> Recommender:
    recommender = Recommender(model, text=HashedText(width=16))
    model.objective = TrainingOptions(loss="sampled_softmax", negatives=4).objective(model)
    recommender.prepare(small_shop())
    return recommender


@pytest.mark.parametrize("rowwise", [False, True])
def test_a_step_touches_the_rows_that_it_reads_alone(rowwise: bool) -> None:
    """Of the flagship, with dropped identities: its table's gradient is sparse, and rows neither in the batch nor among its negatives stay."""
    recommender = prepared(ContextTransformer(width=8, blocks=1, identity_dropout=0.2, words=False))
    model, dataset = recommender.model, small_shop()
    assert isinstance(model, ContextTransformer) and model.items.identity is not None
    model.warm(dataset, recommender.content)
    options = TrainingOptions(loss="sampled_softmax", sparse=True, rowwise=rowwise, weight_decay=0.1)
    rules = optimisers_of(model, options, dataset.n_items, dataset.n_users)
    batch = next(Timelines(recommender.table(dataset), 4, 1).draw(None))
    table = model.items.identity.weight
    before = table.detach().clone()
    Stepper(model, rules, options, torch.device("cpu"))([batch], 0.1, "here")
    assert table.grad is not None and table.grad.is_sparse
    moved = set((table != before).any(1).nonzero().ravel().tolist())
    read = set(table.grad.coalesce().indices()[0].tolist())
    assert moved and moved <= read and len(read) <= 4 + 4 + 4  # targets, history, negatives
    assert len(read) < dataset.n_items


def test_it_learns_as_well() -> None:
    dataset = small_shop()
    split = LeaveLastOut().divide(dataset)
    reached = []
    for sparse in (False, True):
        recommender = Recommender(SASRec(width=16, blocks=1, length=10), exclude_seen=False)
        options = TrainingOptions(
            epochs=8, batch=8, warmup=5, learning_rate=1e-2, loss="sampled_softmax", negatives=12, sparse=sparse, weight_decay=0
        )
        fit(recommender, dataset, split, options)
        reached.append(judge(recommender, dataset, split, EvaluationOptions(exclude_seen=False)).value())
    assert reached[1] > 0.9 * reached[0] and reached[0] > 0.3


def test_resuming_is_exact(tmp_path: Path) -> None:
    def begun() -> tuple[nn.Embedding, LazyAdam]:
        torch.manual_seed(0)
        table = nn.Embedding(6, 3, sparse=True)
        return table, LazyAdam([table.weight], lr=0.1)

    def steps(table: nn.Embedding, rule: LazyAdam, number: int) -> None:
        for _ in range(number):
            rule.zero_grad()
            table(torch.tensor([1, 2])).square().sum().backward()
            rule.step()

    table, rule = begun()
    steps(table, rule, 7)
    again, other = begun()
    steps(again, other, 4)
    checkpoints.save(tmp_path, 1, again, [other], None, checkpoints.Trained(), None)  # type: ignore[arg-type]
    last, third = begun()
    checkpoints.resume(tmp_path, last, [third], None)  # type: ignore[arg-type]
    steps(last, third, 3)
    assert torch.equal(last.weight, table.weight)


def test_what_would_save_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match=r'loss = "softmax" reads every item in each step.* choose "sampled_softmax"'):
        TrainingOptions(sparse=True).objective(SASRec())
    for rule in ("sgd", "adafactor"):
        with pytest.raises(ValidationError, match="should stand beside optimiser = 'adamw' or 'adam'"):
            TrainingOptions(optimiser=rule, sparse=True, loss="bce")  # type: ignore[arg-type]
    dataset, split = small_shop(), LeaveLastOut().divide(small_shop())
    with pytest.raises(TrainingError, match="this model reads a table whole in each step"):
        fit(Recommender(DeepMF(layers=[4])), dataset, split, TrainingOptions(loss="bce", sparse=True, epochs=1))
    frozen = ContextTransformer(width=8, identity=False)
    with pytest.raises(ConfigError, match="ContextTransformer has no table of items or users that learns"):
        fit(Recommender(frozen, text=HashedText(width=8)), dataset, split, TrainingOptions(loss="bce", sparse=True, epochs=1))
    assert not TrainingOptions(loss="bce", sparse=True).suited(GRU()).sparse


@pytest.mark.parametrize("rowwise", [False, True])
def test_big_tables_gather_by_rows_and_learn_the_same(rowwise: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a step gathers holds the rows that it read, and not the table; steps, decay and all, are those of dense gradients."""
    dataset, learned, gathered = small_shop(), [], []
    for large in (1 << 62, 1):
        monkeypatch.setattr(tables, "LARGE", large)
        torch.manual_seed(0)
        recommender = prepared(ContextTransformer(width=8, blocks=1, words=False, popularity=False))
        model = recommender.model
        assert isinstance(model, ContextTransformer) and model.items.identity is not None
        model.warm(dataset, recommender.content)
        table = model.items.identity.weight
        if large == 1:
            table.register_post_accumulate_grad_hook(lambda weight: gathered.append(weight.grad))
        options = TrainingOptions(loss="sampled_softmax", rowwise=rowwise, weight_decay=0.1)
        step = Stepper(model, optimisers_of(model, options, dataset.n_items, dataset.n_users), options, torch.device("cpu"))
        feed = Timelines(recommender.table(dataset), 4, 1)
        batches = list(feed.draw(np.random.default_rng(0)))
        for number in range(4):
            step(batches[2 * number : 2 * number + 2], 0.1, "here", (number,))
        assert table.grad is not None and not table.grad.is_sparse  # as long as the table in the step alone
        learned.append([weight.detach() for weight in model.parameters()])
    assert len(gathered) == 8 and all(one.is_sparse for one in gathered)
    assert min(len(one.coalesce().values()) for one in gathered) < dataset.n_items
    torch.testing.assert_close(learned[1], learned[0], rtol=1e-4, atol=1e-6)


def test_tables_that_every_step_reads_whole_are_not_gathered_by_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "LARGE", 1)
    dataset = small_shop()
    for loss, by_rows in (("softmax", False), ("sampled_softmax", True), ("softmax", False)):
        model = ContextTransformer(width=8, blocks=1)
        recommender = Recommender(model, text=HashedText(width=16))
        options = TrainingOptions(loss=loss)
        model.objective = options.objective(model)
        recommender.prepare(dataset)
        optimisers_of(model, options, dataset.n_items, dataset.n_users)
        assert model.items.identity is not None and model.items.identity.sparse is by_rows


def test_nothing_is_left_of_the_last_gradients() -> None:
    recommender, dataset = Recommender(ContextTransformer(width=8, blocks=1)), small_shop()
    fit(recommender, dataset, LeaveLastOut().divide(dataset), TrainingOptions(epochs=1))
    assert isinstance(recommender.model, ContextTransformer) and all(weight.grad is None for weight in recommender.model.parameters())
