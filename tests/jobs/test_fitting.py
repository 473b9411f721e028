from __future__ import annotations

import torch

from germane.data import Dataset, LeaveLastOut, Split
from germane.encoders import HashedText
from germane.evaluation import EvaluationOptions
from germane.jobs.fitting import Fitting
from germane.models import Blend, Model, Popular, SASRec
from germane.recommender import Recommender
from germane.testing.model_contract import small_shop
from germane.training import TrainingOptions

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
    first = work.anew(split, "again", [3])
    learned = {name: tensor.clone() for name, tensor in model.state().items()}
    second = work.anew(split, "again", [3])
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
