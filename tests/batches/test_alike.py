from __future__ import annotations

import numpy as np
import torch

from germane.batches import alike_by
from germane.batches.alike import nearest


def test_neighbours_are_known_and_the_nearest_by_angle() -> None:
    angles = torch.linspace(0, 1.5, 30)
    vectors = torch.stack([angles.cos(), angles.sin()], dim=1) * torch.arange(1, 31)[:, None]
    known = torch.arange(30) % 2 == 0
    found = nearest(vectors, known)
    assert found.shape == (30, 5) and (found % 2 == 0).all()
    for item in range(30):
        others = np.array([other for other in range(0, 30, 2) if other != item])
        assert item not in found[item]
        assert set(found[item]) <= set(others[np.argsort(abs(others - item), kind="stable")][:6])


def test_fewer_than_five_are_what_there_is() -> None:
    vectors = torch.eye(3)
    assert nearest(vectors, torch.tensor([True, True, False]))[0].tolist() == [1, -1, -1, -1, -1]
    draw = alike_by(vectors, torch.tensor([True, False, False]))
    assert draw(np.array([0, 1, 2]), np.random.default_rng(0)).tolist() == [-1, 0, 0]  # the only known item has no neighbour
