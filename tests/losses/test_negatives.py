from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from germane.losses import full_softmax, sampled, taken_before

N = 9


@given(st.integers(0, 10_000))
def test_agrees_with_sets(seed: int) -> None:
    rng = np.random.default_rng(seed)
    b, t = int(rng.integers(1, 4)), int(rng.integers(1, 7))
    history = torch.from_numpy(rng.integers(-1, N, (b, t)))
    here = torch.from_numpy(rng.random((b, t)) < 0.7)
    candidates = torch.from_numpy(rng.integers(0, N, int(rng.integers(1, 12))))
    targets = torch.from_numpy(rng.integers(0, N, int(here.sum())))
    got = taken_before(history, here, targets, candidates, N)
    for position, (row, place) in enumerate(here.nonzero().tolist()):
        before = set(history[row, : place + 1].tolist()) - {-1, int(targets[position])}
        assert got[position].tolist() == [int(candidate) in before for candidate in candidates]


def test_what_is_left_out_weighs_nothing() -> None:
    logits = torch.tensor([[1.0, 50.0, 0.0]], requires_grad=True)
    out = torch.tensor([[False, True, False]])
    loss = full_softmax(logits, torch.tensor([0]), torch.ones(1), out)
    assert loss.item() == pytest.approx(full_softmax(torch.tensor([[1.0, 0.0]]), torch.tensor([0]), torch.ones(1)).item())
    loss.backward()
    assert logits.grad is not None and logits.grad[0, 1] == 0
    for name in ("sampled_softmax", "bce", "gbce", "bpr"):
        negative = torch.tensor([[50.0, 0.0]], requires_grad=True)
        sampled(name, torch.tensor([1.0]), negative, out[:, 1:], torch.ones(1), torch.zeros(2), 3).backward()  # type: ignore[arg-type]
        assert negative.grad is not None and negative.grad[0, 0] == 0 and negative.grad[0, 1] > 0
