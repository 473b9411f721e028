from __future__ import annotations

import math

import pytest
import torch

from germane.losses import click_loss


def test_it_is_the_formula_and_its_gradient() -> None:
    """−y ln σ(x) − (1 − y) ln(1 − σ(x)), whose gradient is σ(x) − y, worked out here without torch's own function."""
    logits = torch.tensor([-3.0, -0.5, 0.0, 0.7, 4.0], dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([0.0, 1.0, 1.0, 0.0, 1.0], dtype=torch.float64)
    loss = click_loss(logits, labels, torch.ones(5, dtype=torch.float64))
    p = [1 / (1 + math.exp(-x)) for x in logits.tolist()]
    by_hand = [-y * math.log(q) - (1 - y) * math.log(1 - q) for q, y in zip(p, labels.tolist(), strict=True)]
    assert loss.item() == pytest.approx(sum(by_hand) / 5)
    loss.backward()
    assert logits.grad is not None
    assert logits.grad.tolist() == pytest.approx([(q - y) / 5 for q, y in zip(p, labels.tolist(), strict=True)])


def test_finite_differences_agree() -> None:
    labels, weights = torch.tensor([1.0, 0.0, 1.0], dtype=torch.float64), torch.tensor([1.0, 2.0, 0.5], dtype=torch.float64)
    logits = torch.tensor([0.3, -1.2, 2.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: click_loss(x, labels, weights), logits)


def test_certainty_that_was_wrong_is_finite() -> None:
    logits = torch.tensor([200.0, -200.0], requires_grad=True)
    loss = click_loss(logits, torch.tensor([0.0, 1.0]), torch.ones(2))
    loss.backward()
    assert loss.item() == pytest.approx(200.0)
    assert logits.grad is not None and bool(torch.isfinite(logits.grad).all())


def test_weights_weigh() -> None:
    logits, labels = torch.tensor([1.0, -2.0]), torch.tensor([1.0, 1.0])
    single = [click_loss(logits[[i]], labels[[i]], torch.ones(1)).item() for i in range(2)]
    assert click_loss(logits, labels, torch.tensor([3.0, 1.0])).item() == pytest.approx((3 * single[0] + single[1]) / 4)
