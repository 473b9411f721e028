from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from germane.models.ragged import ragged


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 5)), max_size=9))
def test_every_place_of_every_row_in_order(rows: list[tuple[int, int]]) -> None:
    begins, counts = torch.tensor(rows, dtype=torch.int64).reshape(-1, 2).T
    row, place = ragged(begins, counts)
    wanted = [(n, begin + k) for n, (begin, count) in enumerate(rows) for k in range(count)]
    assert list(zip(row.tolist(), place.tolist(), strict=True)) == wanted
