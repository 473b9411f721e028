from __future__ import annotations

import pytest
import torch

from germane.models.context.prior import Prior
from germane.testing.model_contract import small_shop


@pytest.mark.parametrize("half_lives", [(), (3.0, 30.0)])
def test_some_items_are_as_in_the_catalogue(half_lives: tuple[float, ...]) -> None:
    """Values and gradients, with an item asked for twice."""
    dataset = small_shop()
    prior = Prior(dataset.n_items, half_lives)
    prior.fit(dataset)
    torch.nn.init.normal_(prior.bias)
    known = torch.arange(dataset.n_items) % 5 > 0
    times, items = torch.tensor(dataset.times[::37]), torch.tensor([3, 0, 7, 3])
    whole, row = prior.at(times, known)
    snapshots, same = prior.snapshots(times)
    assert torch.equal(row, same)
    gradients = []
    for found in (whole[:, items][row], prior.some(snapshots[:, None], items, known)[row]):
        gradients.append([found, *torch.autograd.grad(found.square().sum(), list(prior.parameters()))])
    torch.testing.assert_close(*gradients)
    pairs = prior.some(snapshots[row[:4]], items, known)
    torch.testing.assert_close(pairs, whole[row[:4], items])
