from __future__ import annotations

import math

import pytest
import torch

from germane.losses import click_loss, conversion_loss

F = [-2.0, 0.3, 1.5, -0.7, 0.9]
G = [0.2, -1.0, 0.8, 0.0, 1.1]
CONVERTED = [1.0, 0.0, 0.0, 1.0, 0.0]
WAITED = [0.5, 2.0, 0.1, 0.0, 7.0]


def told(*columns: list[float]) -> list[torch.Tensor]:
    return [torch.tensor(column, dtype=torch.float64) for column in columns]


def test_it_is_the_formula_and_its_gradient() -> None:
    """Chapelle's two cases, worked out here with p and the rate themselves; the gradients by hand."""
    f, g, converted, waited = told(F, G, CONVERTED, WAITED)
    f.requires_grad_()
    g.requires_grad_()
    loss = conversion_loss(f, g, converted, waited, torch.ones(5, dtype=torch.float64))
    by_hand, of_f, of_g = [], [], []
    for x, y, happened, time in zip(F, G, CONVERTED, WAITED, strict=True):
        p, rate = 1 / (1 + math.exp(-x)), math.exp(y)
        left = p * math.exp(-rate * time)  # converts, and later than this
        by_hand.append(-math.log(p) - math.log(rate) + rate * time if happened else -math.log(1 - p + left))
        still = left / (1 - p + left)
        of_f.append(p - 1 if happened else p - still)
        of_g.append(rate * time - 1 if happened else rate * time * still)
    assert loss.item() == pytest.approx(sum(by_hand) / 5)
    loss.backward()
    assert f.grad is not None and g.grad is not None
    assert f.grad.tolist() == pytest.approx([part / 5 for part in of_f]) and g.grad.tolist() == pytest.approx([part / 5 for part in of_g])


def test_finite_differences_agree() -> None:
    f, g, converted, waited, weights = told(F, G, CONVERTED, [0.5, 2.0, math.inf, 0.0, 7.0], [1.0, 2.0, 0.5, 1.0, 3.0])
    f.requires_grad_()
    g.requires_grad_()
    assert torch.autograd.gradcheck(lambda f, g: conversion_loss(f, g, converted, waited, weights), (f, g))


def test_a_closed_window_is_a_label_and_a_fresh_click_is_nothing() -> None:
    f, g, zeros, ones = torch.tensor([0.4, -1.3], requires_grad=True), torch.tensor([0.5, 2.0], requires_grad=True), torch.zeros(2), torch.ones(2)
    closed = conversion_loss(f, g, zeros, torch.full((2,), math.inf), ones)
    torch.testing.assert_close(closed, click_loss(f, zeros, ones))
    assert torch.autograd.grad(closed, g)[0].tolist() == [0, 0]
    fresh = conversion_loss(f, g, zeros, zeros, ones)
    assert fresh.item() == pytest.approx(0, abs=1e-6)
    assert torch.autograd.grad(fresh, f)[0].tolist() == pytest.approx([0, 0], abs=1e-6)


def test_certainty_that_was_wrong_is_finite() -> None:
    f = torch.tensor([200.0, -200.0, 200.0, -200.0, 200.0], requires_grad=True)
    g = torch.tensor([5.0, -80.0, -80.0, 5.0, 5.0], requires_grad=True)
    loss = conversion_loss(f, g, torch.tensor([0.0, 1.0, 1.0, 0.0, 0.0]), torch.tensor([1e4, 1e4, 0.0, 1e4, math.inf]), torch.ones(5))
    loss.backward()
    assert f.grad is not None and g.grad is not None
    assert math.isfinite(loss.item()) and bool(torch.isfinite(torch.stack([f.grad, g.grad])).all())


def test_weights_weigh() -> None:
    f, g, converted, waited = told(F, G, CONVERTED, WAITED)
    single = [conversion_loss(f[[i]], g[[i]], converted[[i]], waited[[i]], torch.ones(1)).item() for i in (0, 1)]
    both = conversion_loss(f[:2], g[:2], converted[:2], waited[:2], torch.tensor([3.0, 1.0]))
    assert both.item() == pytest.approx((3 * single[0] + single[1]) / 4)
