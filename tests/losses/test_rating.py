from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from germane.losses import as_rating, first_cuts, rating_loss

STARS = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])


def cuts() -> torch.Tensor:
    return torch.tensor([-2.0, 0.1, 0.3, 0.2])


@pytest.mark.parametrize("kind", ["mse", "bce", "ordinal"])
def test_the_loss_is_least_where_the_rating_is_right(kind: Any) -> None:
    """Of all raw numbers, the one with the least loss for a level stands for a rating next to it, and more stars need a larger one."""
    raw = torch.linspace(-6, 6, 241)
    best = []
    for stars in STARS:
        losses = torch.stack([rating_loss(kind, x[None], stars[None], torch.ones(1), STARS, cuts()) for x in raw])
        best.append(float(raw[losses.argmin()]))
        assert float(as_rating(kind, raw[losses.argmin()], STARS, cuts())) == pytest.approx(float(stars), abs=0.6)
    assert best == sorted(best)


@pytest.mark.parametrize("kind", ["mse", "bce", "ordinal"])
def test_ratings_never_leave_the_scale(kind: Any) -> None:
    said = as_rating(kind, torch.tensor([-50.0, 0.0, 50.0]), STARS, cuts())
    assert said[0].item() == pytest.approx(1.0) and said[2].item() == pytest.approx(5.0) and 1 < said[1].item() < 5


@pytest.mark.parametrize("kind", ["mse", "bce", "ordinal"])
def test_finite_differences_agree(kind: Any) -> None:
    raw = torch.tensor([0.3, -1.2, 0.9], dtype=torch.float64, requires_grad=True)
    between = cuts().double().requires_grad_()
    values, weights = torch.tensor([1.0, 4.0, 5.0], dtype=torch.float64), torch.ones(3, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x, c: rating_loss(kind, x, values, weights, STARS.double(), c), (raw, between))


def test_ordinal_is_the_sum_of_its_steps() -> None:
    """Two levels and one cut: a yes or no like any other."""
    loss = rating_loss("ordinal", torch.tensor([0.7]), torch.tensor([2.0]), torch.ones(1), torch.tensor([1.0, 2.0]), torch.tensor([0.2]))
    assert loss.item() == pytest.approx(-math.log(1 / (1 + math.exp(-0.5))))
    assert as_rating("ordinal", torch.tensor(0.7), torch.tensor([1.0, 2.0]), torch.tensor([0.2])).item() == pytest.approx(
        1 + 1 / (1 + math.exp(-0.5))
    )


def by_hand(kind: str, raw: float, stars: float) -> float:
    """On one to five stars, with ``cuts()``."""
    yes = lambda x: math.log1p(math.exp(-x))  # noqa: E731 (−ln σ)
    if kind == "mse":
        return (3.0 + raw - stars) ** 2  # from the middle of the scale
    if kind == "bce":
        share = (min(max(stars, 1.0), 5.0) - 1) / 4
        return share * yes(raw) + (1 - share) * yes(-raw)
    between = [-2.0]
    for step in (0.1, 0.3, 0.2):
        between.append(between[-1] + math.log1p(math.exp(step)))
    return sum(yes(raw - cut) if stars > level else yes(cut - raw) for level, cut in zip((1, 2, 3, 4), between, strict=True))


@pytest.mark.parametrize("kind", ["mse", "bce", "ordinal"])
def test_losses_by_hand(kind: Any) -> None:
    """Two rows, of which the second weighs three times as much; between two levels and at the ends of the scale."""
    for (one, stars), (other, more) in [((0.7, 2.0), (-1.3, 5.0)), ((0.0, 1.0), (2.5, 3.5)), ((-4.0, 4.0), (0.2, 4.0))]:
        told = rating_loss(kind, torch.tensor([one, other]), torch.tensor([stars, more]), torch.tensor([1.0, 3.0]), STARS, cuts())
        assert told.item() == pytest.approx((by_hand(kind, one, stars) + 3 * by_hand(kind, other, more)) / 4, rel=1e-5)


def test_a_rating_beyond_the_scale_is_its_end_for_cross_entropy() -> None:
    """As a held-out rating may be that training never saw."""
    told = rating_loss("bce", torch.tensor([0.4]), torch.tensor([7.0]), torch.ones(1), STARS, cuts())
    assert told.item() == pytest.approx(by_hand("bce", 0.4, 5.0), rel=1e-5)


def test_cuts_stay_in_order_whatever_they_are() -> None:
    wild = torch.tensor([3.0, -9.0, -9.0, -9.0])
    raw = torch.linspace(-8, 8, 50)
    said = as_rating("ordinal", raw, STARS, wild)
    assert bool((said.diff() >= -1e-6).all())


def test_the_first_cuts_say_the_mean_of_what_was_seen() -> None:
    values = torch.tensor([1.0, 2, 4, 4, 5, 5, 5, 3, 3, 4])
    above = (values[:, None] > STARS[:-1]).float().mean(0)
    cuts = first_cuts(above)
    assert as_rating("ordinal", torch.tensor(0.0), STARS, cuts).item() == pytest.approx(values.mean().item(), abs=1e-3)
    never = first_cuts(torch.tensor([1.0, 0.5, 0.5, 0.0]))  # a level that nobody gave, and the ends: cuts are numbers and ascend
    assert bool(never.isfinite().all()) and 1 < as_rating("ordinal", torch.tensor(0.0), STARS, never).item() < 5
