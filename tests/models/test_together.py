from __future__ import annotations

import pytest
import torch

from germane.models.classics import together as module
from germane.models.classics.together import together


@pytest.mark.parametrize("block", [512, 3])
def test_products_of_all_pairs_of_items_are_those_of_the_dense_matrix(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(module, "BLOCK", block)
    matrix = torch.rand(40, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    matrix[matrix < 0.6] = 0
    matrix[:, 5] = 0  # nobody took it
    users, items = matrix.nonzero(as_tuple=True)
    found = list(together(items, users, matrix[users, items], 8))
    assert torch.cat([codes for codes, _ in found]).tolist() == list(range(8))
    torch.testing.assert_close(torch.cat([products for _, products in found]), matrix.T @ matrix)


def test_nothing_taken_gives_noughts() -> None:
    nothing = torch.zeros(0, dtype=torch.int64)
    ((_, products),) = together(nothing, nothing, torch.zeros(0), 3)
    assert products.tolist() == [[0.0] * 3] * 3
