from __future__ import annotations

import pytest
import torch

from germane.models.context.traits import WIDEST, Traits


def test_products_of_traits_are_those_of_rare_features() -> None:
    codes = torch.tensor([[1, 2, 0], [1, 3, 0], [2, 1, 0], [1, 0, 0], [0, 0, 0], [4, 5, 1]])
    traits = Traits(n_codes=6)
    traits.fit(codes, torch.ones(6, dtype=torch.bool))
    vectors = traits(codes)
    idf = torch.log(7 / torch.tensor([6.0, 3, 2, 2, 2]))
    table = torch.zeros(6, 5)
    for row, cell in enumerate(codes):
        for code in cell[cell > 0]:
            table[row, code - 1] = idf[code - 1]
    torch.testing.assert_close(vectors, torch.nn.functional.normalize(table, dim=1))
    assert torch.equal(vectors[0], vectors[2]) and not vectors[4].any()


def test_many_features_are_folded_with_small_errors() -> None:
    generator = torch.Generator().manual_seed(1)
    codes = torch.randint(1, 1000, (300, 5), generator=generator)
    codes[200:, :3] = codes[100:200, :3]  # alike by three of five
    traits = Traits(n_codes=1000)
    traits.fit(codes, torch.ones(300, dtype=torch.bool))
    vectors = traits(codes)
    assert vectors.shape == (300, WIDEST)
    alike, apart = (vectors[200:] * vectors[100:200]).sum(1), (vectors[:100] * vectors[100:200]).sum(1)
    assert alike.mean() == pytest.approx(0.6, abs=0.1) and apart.mean() == pytest.approx(0, abs=0.05)
    assert apart.std() < 0.13
    again = Traits(n_codes=1000)
    torch.manual_seed(5)
    again.fit(codes, torch.ones(300, dtype=torch.bool))
    assert torch.equal(again.vectors, traits.vectors)  # whatever the seed of a run


def test_rarity_is_counted_over_known_items() -> None:
    codes, known = torch.tensor([[1], [2], [2], [2]]), torch.tensor([True, True, False, False])
    traits = Traits(n_codes=3)
    traits.fit(codes, known)
    assert traits.vectors[1].norm() == traits.vectors[2].norm()
    traits.fit(codes, ~known)
    assert traits.vectors[1].norm() > traits.vectors[2].norm()
