"""Row-wise steps: the rule itself, what it saves, that it learns as well, and where it is taken unasked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import nn

from germane.config import Config
from germane.data import LeaveLastOut
from germane.encoders import HashedText
from germane.errors import ConfigError
from germane.evaluation import EvaluationOptions
from germane.jobs.train import fit, judge
from germane.models import BiasedMF, ContextTransformer, Model, SASRec
from germane.recommender import Recommender
from germane.testing.model_contract import small_shop
from germane.training import TrainingOptions
from germane.training.optimisers import optimisers_of
from germane.training.row_wise import RowWiseAdam
from germane.worlds import MomentWorld

SIZES = (24, 40)
"""Items and users of the small shop."""


def prepared(model: Model) -> torch.nn.Module:
    recommender = Recommender(model, text=HashedText(width=16))
    recommender.prepare(small_shop())
    assert isinstance(recommender.model, nn.Module)
    return recommender.model


def held(rules: list[torch.optim.Optimizer], model: nn.Module) -> int:
    """Numbers that the rules remember after a step in which everything had a gradient; counts of steps left out."""
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    for rule in rules:
        rule.step()
    return sum(part.numel() for rule in rules for state in rule.state.values() for name, part in state.items() if name != "step")


def test_a_row_moves_by_its_own_mean() -> None:
    table = nn.Parameter(torch.zeros(3, 4))
    rule = RowWiseAdam([table], rate=0.1)
    gradients = [torch.tensor([[1.0, 1, 1, 1], [8, 0, 0, 0], [0, 0, 0, 0]]), torch.tensor([[3.0, 3, 3, 3], [0, 0, 0, 0], [0, 0, 0, 0]])]
    means, expected = np.zeros(3), np.zeros((3, 4))
    for step, gradient in enumerate(gradients, 1):
        table.grad = gradient.clone()
        rule.step()
        means = 0.999 * means + 0.001 * gradient.square().mean(1).numpy()
        expected -= 0.1 * gradient.numpy() / (np.sqrt(means / (1 - 0.999**step)) + 1e-8)[:, None]
    torch.testing.assert_close(table.detach().double(), torch.tensor(expected), rtol=1e-4, atol=0)
    assert table[2].abs().max() == 0 and expected[0, 0] < -0.1


def test_a_stretch_lengthens_steps_and_not_the_decay() -> None:
    moved = []
    for stretch in (1.0, 3.0):
        table = nn.Parameter(torch.ones(2, 2))
        table.grad = torch.ones(2, 2)
        RowWiseAdam([table], rate=0.1, stretch=stretch, weight_decay=0.5).step()
        moved.append(0.95 - table.detach())
    torch.testing.assert_close(moved[1], 3 * moved[0])


@settings(max_examples=20, deadline=None)
@given(scale=st.floats(1e-3, 1e3))
def test_the_size_of_gradients_does_not_matter(scale: float) -> None:
    moved = []
    for factor in (1.0, scale):
        table = nn.Parameter(torch.zeros(5, 3))
        rule = RowWiseAdam([table], rate=0.1)
        for seed in range(3):
            table.grad = torch.randn(5, 3, generator=torch.Generator().manual_seed(seed)) * factor
            rule.step()
        moved.append(table.detach())
    torch.testing.assert_close(moved[0], moved[1], rtol=1e-3, atol=1e-4)


def test_weights_decay_beside_the_gradient_or_through_it() -> None:
    beside, through = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2, 2))
    for table, decoupled in ((beside, True), (through, False)):
        table.grad = torch.zeros(2, 2)
        RowWiseAdam([table], rate=0.1, weight_decay=0.5, decoupled=decoupled).step()
    torch.testing.assert_close(beside.detach(), torch.full((2, 2), 0.95))  # 1 - rate * decay
    torch.testing.assert_close(through.detach(), torch.full((2, 2), 0.9))  # a gradient of 0.5 everywhere is a step of one rate


@pytest.mark.parametrize("kind", ["adamw", "adam"])
def test_a_table_keeps_one_number_a_row(kind: str) -> None:
    model = prepared(BiasedMF(width=16))
    plain = held(optimisers_of(model, TrainingOptions(optimiser=kind, rowwise=False), *SIZES), model)  # type: ignore[arg-type]
    small = held(optimisers_of(model, TrainingOptions(optimiser=kind, rowwise=True), *SIZES), model)  # type: ignore[arg-type]
    rows = 24 + 41  # items; users and nobody
    assert plain - small == rows * 16 * 2 - rows


def test_each_weight_has_one_rule() -> None:
    model = prepared(ContextTransformer(width=8, blocks=1, user_identity=True))
    rules = optimisers_of(model, TrainingOptions(rowwise=True), *SIZES)  # type: ignore[arg-type]
    learning = [id(p) for rule in rules for group in rule.param_groups for p in group["params"]]
    assert sorted(learning) == sorted(id(p) for p in model.parameters())
    in_rows = {id(p) for group in rules[1].param_groups for p in group["params"]}
    assert {name for name, p in model.named_parameters() if id(p) in in_rows} == {"items.identity.weight", "person.table.weight"}


def test_it_learns_as_well() -> None:
    """On a world of moments, over two seeds: what the row-wise rule reaches lies within a tenth of what Adam reaches."""
    dataset = MomentWorld(users=60, items=40, events=2500).dataset()
    split = LeaveLastOut().divide(dataset)
    reached = {}
    for rowwise in (False, True):
        figures = []
        for seed in (0, 1):
            recommender = Recommender(SASRec(width=16, blocks=1, length=20), seed=seed, exclude_seen=False)
            fit(recommender, dataset, split, TrainingOptions(epochs=8, batch=8, warmup=10, learning_rate=5e-3, rowwise=rowwise))
            figures.append(judge(recommender, dataset, split, EvaluationOptions(exclude_seen=False)).value())
        reached[rowwise] = float(np.mean(figures))
    assert reached[True] > 0.9 * reached[False]
    assert reached[False] > 0.2  # by chance .11


def test_rules_without_a_second_moment_of_their_own_refuse_it() -> None:
    for rule in ("sgd", "adafactor"):
        with pytest.raises(ValidationError, match="should stand beside optimiser = 'adamw' or 'adam'"):
            TrainingOptions(optimiser=rule, rowwise=True)  # type: ignore[arg-type]
    sections = {"data": {"events": "e.csv"}, "training": {"optimiser": "sgd", "rowwise": True}}
    with pytest.raises(ConfigError, match=r"\[training\] option rowwise = True: should stand beside optimiser .*, and 'sgd' is asked for"):
        Config.of(sections, Path())
