from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from germane.losses import drawn_beside, full_softmax, sampled, step_draws, taken_before

N = 9


@given(st.integers(0, 10_000))
def test_agrees_with_sets(seed: int) -> None:
    rng = np.random.default_rng(seed)
    b, t = int(rng.integers(1, 4)), int(rng.integers(1, 7))
    history = torch.from_numpy(rng.integers(-1, N, (b, t)))
    here = torch.from_numpy(rng.random((b, t)) < 0.7)
    candidates = torch.from_numpy(rng.integers(0, N, int(rng.integers(1, 12))))
    targets = torch.from_numpy(rng.integers(0, N, int(here.sum())))
    got = taken_before(history, here.nonzero(as_tuple=True), targets, candidates, N)
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


def stretches(seed: int, b: int, t: int, n: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Users, histories, items and targets of ``b`` stretches; every third event is no target."""
    rng = np.random.default_rng(seed)
    events = torch.from_numpy(rng.integers(0, n, (b, t + 1)))
    targets = events[:, 1:].where(torch.from_numpy(rng.random((b, t)) < 2 / 3), -1)
    return torch.arange(b) * 3, events[:, :-1], events[:, 1:], targets


def test_what_a_stretch_holds_before_or_after_does_not_count() -> None:
    users, history, items, targets = stretches(0, 5, 7, 30)
    pool = torch.arange(0, 30, 2)
    drawn, clash = drawn_beside(pool, users, history, items, targets, 6)
    for place, (row, last) in enumerate((targets >= 0).nonzero().tolist()):
        held = {*history[row].tolist(), *items[row].tolist()}
        assert int(targets[row, last]) in held and set(drawn[place].tolist()) <= set(pool.tolist())
        assert clash[place].tolist() == [int(item) in held for item in drawn[place]]
    assert clash.any() and not clash.all()


def test_each_item_is_drawn_as_often_and_each_target_has_its_own() -> None:
    batch, counts = stretches(0, 20, 10, 50), np.zeros(50)
    for step in range(60):
        with step_draws((step,), torch.device("cpu")):
            drawn, _ = drawn_beside(torch.arange(50), *batch, 4)
        counts += np.bincount(drawn.ravel().numpy(), minlength=50)
        assert len({tuple(row) for row in drawn.tolist()}) > 30  # of some 133 targets; 50 are possible
    share = counts / counts.sum()
    assert abs(share * 50 - 1).max() < 0.35


def test_a_target_meets_the_same_in_a_large_batch_and_in_a_small_one() -> None:
    """Also where the small one is narrower: places count from the newest."""
    users, history, items, targets = stretches(1, 6, 8, 40)
    targets[4:, :3] = -1
    found = []
    for rows, width in ((slice(0, 6), 8), (slice(4, 6), 5)):
        with step_draws((3,), torch.device("cpu")):
            parts = (part[rows, -width:] for part in (history, items, targets))
            found.append(drawn_beside(torch.arange(40), users[rows], *parts, 5)[0])
    own = int((targets[4:] >= 0).sum())
    assert torch.equal(found[0][-own:], found[1]) and own > 2
