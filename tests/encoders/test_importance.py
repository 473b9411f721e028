from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from germane.encoders.importance import importance_sample


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=40), st.integers(1, 50), st.integers(0, 99))
def test_so_many_are_drawn_and_chances_grow_with_size(sizes: list[float], n: int, seed: int) -> None:
    of = torch.tensor(sizes, dtype=torch.float64)
    places, chances = importance_sample(of, n, torch.Generator().manual_seed(seed))
    assert len(places) == len(places.unique()) == min(n, int((of >= torch.finfo(of.dtype).tiny).sum()))
    assert bool(((chances > 0) & (chances <= 1)).all()) and bool((of[places] > 0).all())
    order = of[places].argsort()
    assert bool((chances[order].diff() >= -1e-9).all())


def test_sums_over_the_few_are_on_average_those_over_all() -> None:
    sizes, terms = torch.tensor([9.0, 3.0, 2.0, 1.0, 1.0, 0.0]), torch.tensor([4.0, -3.0, 2.5, 1.0, -1.0, 7.0])
    generator, sums = torch.Generator().manual_seed(0), []
    for _ in range(4000):
        places, chances = importance_sample(sizes, 3, generator)
        sums.append(float((terms[places] / chances).sum()))
    assert sum(sums) / 4000 == pytest.approx(3.5, abs=0.1)  # the last is of size 0, and so its term is not there


def test_nothing_to_draw_from() -> None:
    places, chances = importance_sample(torch.zeros(4), 2)
    assert places.shape == chances.shape == (0,)
