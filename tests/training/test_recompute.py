"""Training with activations worked out again: the same weights, and a refusal where there is nothing to work out."""

from __future__ import annotations

import pytest
import torch

from germane.data import LeaveLastOut
from germane.encoders import HashedText
from germane.errors import ConfigError
from germane.jobs.train import fit
from germane.models import BiasedMF, ContextTransformer, Model, SASRec
from germane.models.layers import Blocks
from germane.recommender import Recommender
from germane.testing.model_contract import small_shop
from germane.training import TrainingOptions


def trained(model: Model, **options: object) -> Recommender:
    dataset = small_shop()
    recommender = Recommender(model, text=HashedText(width=16))
    fit(recommender, dataset, LeaveLastOut().divide(dataset), TrainingOptions(epochs=1, batch=16, warmup=2, **options))  # type: ignore[arg-type]
    return recommender


@pytest.mark.parametrize("loss", ["softmax", "sampled_softmax"])
@pytest.mark.parametrize("kind", [ContextTransformer, SASRec])
def test_the_same_weights_come_of_it(kind: type[ContextTransformer] | type[SASRec], loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    again: list[bool] = []
    forward = Blocks.forward
    monkeypatch.setattr(Blocks, "forward", lambda self, x, bias: again.append(self.checkpointed and self.training) or forward(self, x, bias))
    one, other = (trained(kind(width=8, blocks=2, dropout=0.2), checkpointing=on, loss=loss).model.state() for on in (False, True))
    assert True in again and False in again
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_a_model_without_attention_refuses_it() -> None:
    with pytest.raises(ConfigError, match=r"checkpointing = true: BiasedMF has no attention and no language model .* leave it out, or make"):
        trained(BiasedMF(width=4), checkpointing=True)
    assert not TrainingOptions(checkpointing=True).suited(BiasedMF()).checkpointing  # a baseline is trained as it can be
