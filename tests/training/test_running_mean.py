from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from germane import Recommender
from germane.data import NoSplit
from germane.jobs.train import fit
from germane.models import BiasedMF
from germane.testing.model_contract import small_shop
from germane.training import TrainingOptions
from germane.training.running_mean import RunningMean


def test_it_is_the_mean_by_hand() -> None:
    layer = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        layer.weight.fill_(0.0)
    mean, by_hand = RunningMean(layer, 0.8), 0.0
    for step in range(1, 60):
        with torch.no_grad():
            layer.weight.fill_(float(step))
        mean.update(step)
        keep = min(0.8, (1 + step) / (10 + step))
        by_hand = keep * by_hand + (1 - keep) * step
    with mean.worn():
        assert layer.weight.item() == pytest.approx(by_hand, rel=1e-5)
    assert layer.weight.item() == 59.0


def test_own_weights_come_back_whatever_happens() -> None:
    layer = nn.BatchNorm1d(2)
    mean = RunningMean(layer, 0.5)
    with torch.no_grad():
        layer.weight.fill_(3.0)
    with pytest.raises(RuntimeError), mean.worn():
        raise RuntimeError
    assert layer.weight.tolist() == [3.0, 3.0]
    assert layer.num_batches_tracked.item() == 0  # counts are no weights


def test_the_mean_is_what_training_keeps() -> None:
    """Without validation too: the kept weights lie nearer to where training has been than the last step's do."""
    dataset = small_shop()
    states = []
    for average in (0.0, 0.99):
        recommender = Recommender(BiasedMF(width=4), seed=1)
        fit(recommender, dataset, NoSplit().divide(dataset), TrainingOptions(epochs=3, batch=64, average=average))
        states.append(recommender.model.state())
    last, kept = (np.concatenate([tensor.numpy().ravel() for name, tensor in state.items() if "items" in name]) for state in states)
    assert not np.array_equal(last, kept)
    assert np.abs(kept).mean() < np.abs(last).mean()  # vectors start short and grow


def test_a_share_of_one_or_more_is_refused() -> None:
    with pytest.raises(ValueError, match="less than 1"):
        TrainingOptions(average=1.0)
