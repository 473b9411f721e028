from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import nn

from germane import Recommender
from germane.data import NoSplit
from germane.jobs.train import fit
from germane.models import BiasedMF
from germane.testing.model_contract import small_shop
from germane.training import TrainingOptions
from germane.training.epoch_mean import EpochMean


def test_ends_of_epochs_count_alike() -> None:
    layer, by_hand = nn.Linear(1, 1, bias=False), [7.0, -3.0, 4.0, 1.0, 9.0]
    mean, worn = EpochMean(layer, since=2), []
    for epoch, weight in enumerate(by_hand):
        with torch.no_grad():
            layer.weight.fill_(weight)
        mean.update(epoch)  # steps do not count
        mean.ended(epoch)
        with mean.worn():
            worn.append(layer.weight.item())
        assert layer.weight.item() == weight
    assert worn == pytest.approx([7.0, -3.0, 4.0, 2.5, 14 / 3], rel=1e-6)


def test_epochs_that_were_thrown_away_do_not_count() -> None:
    """``begin`` was called before the third epoch: the mean is of it and of those after it."""
    layer = nn.Linear(1, 1, bias=False)
    mean = EpochMean(layer, since=0)
    for epoch, weight in enumerate([9.0, 9.0, 1.0, 2.0]):
        begun = 2 if epoch >= 2 else 0
        if epoch == 2:
            mean.begin()
        with torch.no_grad():
            layer.weight.fill_(weight)
        mean.ended(epoch, begun)
    with mean.worn():
        assert layer.weight.item() == pytest.approx(1.5)


def test_the_mean_is_what_training_keeps() -> None:
    """Of four epochs the last two: by hand from the weights that two trainings of three and four epochs end with."""
    dataset = small_shop()

    def ends(epochs: int, **options: float) -> dict[str, torch.Tensor]:
        recommender = Recommender(BiasedMF(width=4), seed=1)
        fit(recommender, dataset, NoSplit().divide(dataset), TrainingOptions(epochs=epochs, batch=64, **options))  # type: ignore[arg-type]
        return recommender.model.state()

    third, fourth, mean = ends(3), ends(4), ends(4, swa=0.5)
    for name, tensor in mean.items():
        np.testing.assert_allclose(tensor.numpy(), (third[name].numpy() + fourth[name].numpy()) / 2, rtol=1e-5, atol=1e-6)
    assert any(not torch.equal(mean[name], fourth[name]) for name in mean)


def test_two_means_are_one_too_many() -> None:
    with pytest.raises(ValidationError, match=r"is one mean of the weights and average = 0\.99 another: say one of them"):
        TrainingOptions(average=0.99, swa=0.75)
