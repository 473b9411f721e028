from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from germane.data import Dataset, LeaveLastOut, Split
from germane.data.augmentation import AugmentOptions
from germane.encoders import HashedText
from germane.errors import ConfigError
from germane.evaluation import EvaluationOptions
from germane.jobs.fitting import Fitting
from germane.models import GRU, Blend, ContextTransformer, DeepMF, Model, Popular, SASRec
from germane.recommender import Recommender
from germane.testing.model_contract import small_shop
from germane.training import Trained, TrainingOptions

SMALL = {"width": 8, "blocks": 1, "heads": 1, "length": 5}


def fitting(model: Model, seed: int = 0) -> tuple[Fitting, Dataset, Split]:
    dataset, options = small_shop(), TrainingOptions(epochs=2, patience=2, batch=16, warmup=2)
    recommender, split = Recommender(model, text=HashedText(width=8), seed=seed), LeaveLastOut().divide(dataset)
    model.objective = options.objective(model)
    torch.manual_seed(seed)
    recommender.prepare(dataset.take(split.train))
    return Fitting(recommender, dataset, split, options, EvaluationOptions(), None, None), dataset, split


def test_anew_forgets_what_was_learned_and_takes_the_epochs_that_are_known() -> None:
    model = SASRec(**SMALL)
    work, _, split = fitting(model)
    first = work.anew(split, "again", [Trained(best_epoch=3)])
    learned = {name: tensor.clone() for name, tensor in model.state().items()}
    second = work.anew(split, "again", [Trained(best_epoch=3)])
    assert [len(once.curve) for once in (*first, *second)] == [3, 3]
    assert all(torch.equal(tensor, learned[name]) for name, tensor in model.state().items())


def test_equal_members_of_a_blend_learn_from_seeds_of_their_own() -> None:
    said = {"use": "SASRec", **SMALL}
    blend = Blend(members=[said, said])
    work, *_ = fitting(blend)
    trained = work.parts()
    assert [len(once.curve) for once in trained] == [2, 2]
    one, other = (member.state() for member in blend.members)
    assert one.keys() == other.keys() and any(not torch.equal(one[name], other[name]) for name in one)


def test_what_is_counted_has_no_curve() -> None:
    work, *_ = fitting(Popular())
    assert [once.curve for once in work.parts()] == [[]]


def test_validation_cases_are_those_of_the_division() -> None:
    work, _, split = fitting(Popular())
    assert work.validation().rows.tolist() == split.validation.tolist()
    assert int(work.validation().item_counts.sum()) == len(split.train)


@pytest.mark.parametrize("kind", [SASRec, GRU, ContextTransformer])
def test_every_model_of_timelines_learns_from_varied_histories_and_the_same_seed_the_same(kind: type[Model]) -> None:
    told = []
    for _ in range(2):
        work, *_ = fitting(kind(width=8, length=5))
        augment = AugmentOptions(crop=0.5, mask=0.5, reorder=0.5, insert=0.5)
        (trained,) = replace(work, options=work.options.model_copy(update={"augment": augment})).parts()
        told.append([epoch["loss"] for epoch in trained.curve])
    assert told[0] == told[1] and np.isfinite(told).all()
    (plain,) = fitting(kind(width=8, length=5))[0].parts()
    assert [epoch["loss"] for epoch in plain.curve] != told[0]


def test_what_varies_histories_needs_a_model_that_reads_them() -> None:
    options = TrainingOptions(augment=AugmentOptions(mask=0.5))
    with pytest.raises(ConfigError, match="DeepMF learns from no timelines"):
        options.objective(DeepMF())
    assert options.suited(DeepMF()).augment is None and options.suited(GRU()).augment is not None
