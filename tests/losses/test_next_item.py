from __future__ import annotations

import math
import sys

import pytest
import torch

from germane.losses import Objective, next_item

HISTORY = torch.tensor([[-1, 3, 1, 0], [-1, -1, 2, 4]])
TARGETS = torch.tensor([[3, 1, 0, 3], [-1, -1, 4, -1]])
WEIGHTS = torch.tensor([[1.0, 2.0, 0.5, 1.0], [0.0, 0.0, 3.0, 0.0]])
KNOWN = torch.tensor([True, True, True, True, True, False, True])
STATES = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
TABLE = torch.randn(7, 3, generator=torch.Generator().manual_seed(1))


def loss_of(objective: Objective, table: torch.Tensor = TABLE) -> torch.Tensor:
    at = (TARGETS >= 0).nonzero(as_tuple=True)
    scores, own = (lambda items: lambda part: STATES[part] @ table[items].T), (lambda targets: (STATES * table[targets]).sum(1))
    return next_item(objective, KNOWN, HISTORY, at, TARGETS[at], WEIGHTS[at], scores, own)


def by_hand(drawn: list[int], log_q: float, with_seen: bool) -> float:
    """Softmax of each target against the drawn items that may stand against it, place by place."""
    total = weight = 0.0
    for state, (row, place) in zip(STATES, (TARGETS >= 0).nonzero().tolist()):
        target = int(TARGETS[row, place])
        before = set() if with_seen else set(HISTORY[row, : place + 1].tolist())
        own = float(state @ TABLE[target])
        rivals = [float(state @ TABLE[item]) - log_q for item in drawn if item != target and item not in before]
        total += float(WEIGHTS[row, place]) * (math.log(sum(math.exp(score) for score in [own, *rivals])) - own)
        weight += float(WEIGHTS[row, place])
    return total / weight


@pytest.mark.parametrize("with_seen", [True, False])
def test_softmax_by_hand(with_seen: bool) -> None:
    found = loss_of(Objective("softmax", seen_as_negatives=with_seen))
    assert found.item() == pytest.approx(by_hand([0, 1, 2, 3, 4, 6], 0.0, with_seen), rel=1e-5)


@pytest.mark.parametrize("with_seen", [True, False])
def test_sampled_softmax_by_hand(with_seen: bool) -> None:
    torch.manual_seed(5)
    drawn = KNOWN.nonzero().ravel()[torch.randint(6, (9,))].tolist()  # 9 of 6 items: doubles are certain
    torch.manual_seed(5)
    found = loss_of(Objective("sampled_softmax", 9, with_seen))
    assert found.item() == pytest.approx(by_hand(drawn, math.log(9 / 6), with_seen), rel=1e-5)


@pytest.mark.parametrize("name", ["softmax", "sampled_softmax", "bce", "gbce", "bpr"])
def test_only_known_items_stand_against_a_target(name: str) -> None:
    table = TABLE.clone().requires_grad_()
    loss_of(Objective(name, 64), table).backward()  # type: ignore[arg-type]
    assert table.grad is not None and table.grad[5].abs().max() == 0
    assert table.grad[KNOWN].abs().amax(1).min() > 0


@pytest.mark.parametrize("name", ["softmax", "sampled_softmax", "bce", "gbce", "bpr"])
def test_what_was_taken_before_stands_against_nothing_where_lists_leave_it_out(name: str) -> None:
    """Item 2 is in one history only, ahead of the only target there: raising it changes nothing then."""
    only = torch.tensor([1]), torch.tensor([2])
    state = STATES[:1]
    grads = []
    for with_seen in (True, False):
        table = TABLE.clone().requires_grad_()
        objective = Objective(name, 64, with_seen)  # type: ignore[arg-type]
        scores, own = (lambda items, t=table: lambda part: state[part] @ t[items].T), (lambda targets, t=table: (state * t[targets]).sum(1))
        next_item(objective, KNOWN, HISTORY, only, TARGETS[only], WEIGHTS[only], scores, own).backward()
        assert table.grad is not None
        grads.append(float(table.grad[2].abs().max()))
    assert grads[0] > 0 == grads[1]


@pytest.mark.parametrize("with_seen", [True, False])
@pytest.mark.parametrize("name", ["softmax", "sampled_softmax", "bce", "gbce", "bpr"])
def test_places_are_worked_out_in_parts_and_nothing_tells(name: str, with_seen: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two places at a time, kept or not: the loss and its gradient are those of all at once."""
    module = sys.modules["germane.losses.next_item"]
    objective = Objective(name, 8, with_seen, label_smoothing=0.1 if "softmax" in name else 0.0)  # type: ignore[arg-type]
    found = []
    for at_once, kept in ((1 << 20, 1 << 20), (16, 1 << 20), (16, 4)):
        monkeypatch.setattr(module, "AT_ONCE", (at_once, at_once))
        monkeypatch.setattr(module, "KEPT", kept)
        table = TABLE.clone().requires_grad_()
        torch.manual_seed(3)
        loss = loss_of(objective, table)
        loss.backward()
        found.append((loss.detach(), table.grad))
    for loss, grad in found[1:]:
        torch.testing.assert_close(loss, found[0][0])
        torch.testing.assert_close(grad, found[0][1])
