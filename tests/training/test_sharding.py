"""What sharded asks for; two processes that share a table are in ``test_distributed.py``."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from germane.data import LeaveLastOut
from germane.encoders import HashedText
from germane.errors import ConfigError
from germane.jobs.train import fit
from germane.models import ContextTransformer, SASRec
from germane.recommender import Recommender
from germane.testing.model_contract import small_shop
from germane.training import TrainingOptions

SAMPLED: dict[str, Any] = {"loss": "sampled_softmax", "negatives": 8, "epochs": 1, "batch": 16}


def test_alone_it_changes_nothing() -> None:
    dataset, found = small_shop(), []
    for sharded in (False, True):
        recommender = Recommender(ContextTransformer(width=8, blocks=1), text=HashedText(width=8))
        fit(recommender, dataset, LeaveLastOut().divide(dataset), TrainingOptions(**SAMPLED, sharded=sharded))
        assert isinstance(recommender.model.items.identity, torch.nn.Embedding)
        found.append(recommender.model.state())
    assert all(torch.equal(tensor, found[1][name]) for name, tensor in found[0].items())


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"loss": "softmax"}, "reads every item in each step, so nothing would be saved"),
        ({"adversarial": {"kind": "awp"}}, "sharded and adversarial: .* say one"),
        ({"contrast": {"weight": 0.1}}, "sharded and contrast: .* say one"),
    ],
)
def test_what_does_not_go_with_it_is_refused(said: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        TrainingOptions(**{**SAMPLED, "sharded": True, **said}).objective(ContextTransformer())


def test_other_ways_with_tables_and_other_models_are_refused() -> None:
    with pytest.raises(ValueError, match="rowwise and sparse spare it in other ways"):
        TrainingOptions(**SAMPLED, sharded=True, sparse=True)
    with pytest.raises(ConfigError, match="SASRec has no table that may lie in parts; ContextTransformer has"):
        TrainingOptions(**SAMPLED, sharded=True).objective(SASRec())
    assert not TrainingOptions(**SAMPLED, sharded=True).suited(SASRec()).sharded
    dataset = small_shop()
    with pytest.raises(ConfigError, match="has no table of items that it reads by rows"):
        recommender = Recommender(ContextTransformer(width=8, blocks=1, identity=False), text=HashedText(width=8))
        fit(recommender, dataset, LeaveLastOut().divide(dataset), TrainingOptions(**SAMPLED, sharded=True))
