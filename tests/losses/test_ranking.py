from __future__ import annotations

import math

import pytest
import torch
from pydantic import ValidationError

from germane.errors import ConfigError
from germane.losses import RankingLoss
from germane.losses.ranking import full_softmax, sampled
from germane.models import BiasedMF, ContextTransformer
from germane.training import TrainingOptions


def by_hand(scores: list[float], target: int, smoothing: float) -> float:
    """Cross-entropy against a target of which a share is spread over all."""
    total = math.log(sum(math.exp(score) for score in scores))
    share = [smoothing / len(scores) + (1 - smoothing) * (place == target) for place in range(len(scores))]
    return sum(p * (total - score) for p, score in zip(share, scores, strict=True))


SCORES = [1.0, -2.0, 0.5, 3.0]


def test_a_smoothed_softmax_by_hand() -> None:
    told = full_softmax(torch.tensor([SCORES]), torch.tensor([2]), torch.ones(1), smoothing=0.2)
    assert told.item() == pytest.approx(by_hand(SCORES, 2, 0.2))
    out = torch.tensor([[False, True, False, False]])
    told = full_softmax(torch.tensor([SCORES]), torch.tensor([2]), torch.ones(1), out, smoothing=0.2)
    assert told.item() == pytest.approx(by_hand([1.0, 0.5, 3.0], 1, 0.2))


def test_a_smoothed_sampled_softmax_is_the_full_one_where_all_were_drawn() -> None:
    positive, negative = torch.tensor([0.5]), torch.tensor([[1.0, 0.5, -2.0, 3.0]])  # the second is the target itself
    clash = torch.tensor([[False, True, False, False]])
    told = sampled("sampled_softmax", positive, negative, clash, torch.ones(1), torch.zeros(4), 4, smoothing=0.2)
    assert told.item() == pytest.approx(by_hand(SCORES, 2, 0.2))


def softplus(x: float) -> float:
    """−ln σ(−x)"""
    return math.log1p(math.exp(x))


def test_losses_over_drawn_negatives_by_hand() -> None:
    """Two places: one meets three negatives and weighs 1, the other two, since the third is its target, and weighs 3."""
    positive, negative = torch.tensor([0.5, -1.0]), torch.tensor([[1.0, -2.0, 0.3], [2.0, 0.1, 9.0]])
    clash = torch.tensor([[False, False, False], [False, False, True]])
    against = [[1.0, -2.0, 0.3], [2.0, 0.1]]
    alpha = 3 / 20  # of the catalogue's 21 items, the target aside
    beta = alpha * (0.75 * (1 - 1 / alpha) + 1 / alpha)  # t = 0.75
    assert beta == pytest.approx(0.3625)
    by_loss: dict[RankingLoss, list[float]] = {"bce": [], "gbce": [], "bpr": []}
    for s, others in zip([0.5, -1.0], against, strict=True):
        high = sum(softplus(x) for x in others)
        by_loss["bce"].append(softplus(-s) + high / len(others))
        by_loss["gbce"].append((beta * softplus(-s) + high) / (len(others) + 1))
        by_loss["bpr"].append(sum(softplus(x - s) for x in others) / len(others))
    for loss, (first, second) in by_loss.items():
        told = sampled(loss, positive, negative, clash, torch.tensor([1.0, 3.0]), torch.zeros(3), 21)
        assert told.item() == pytest.approx((first + 3 * second) / 4, rel=1e-5), loss


def test_gbce_against_the_whole_catalogue_is_plain_cross_entropy() -> None:
    """Then nothing is to be corrected: beta is 1."""
    told = sampled("gbce", torch.tensor([0.5]), torch.tensor([[1.0, -2.0]]), torch.zeros(1, 2, dtype=torch.bool), torch.ones(1), torch.zeros(2), 3)
    assert told.item() == pytest.approx((softplus(-0.5) + softplus(1.0) + softplus(-2.0)) / 3)


def test_without_smoothing_nothing_changes() -> None:
    logits, target = torch.randn(5, 7, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 3, 6, 2, 2])
    plain = full_softmax(logits, target, torch.ones(5))
    assert full_softmax(logits, target, torch.ones(5), torch.zeros(5, 7, dtype=torch.bool), smoothing=1e-9).item() == pytest.approx(plain.item())
    assert plain.item() == pytest.approx(sum(by_hand(row.tolist(), int(t), 0.0) for row, t in zip(logits, target, strict=True)) / 5)


def test_smoothed_scores_stay_closer_together() -> None:
    """Where the softmax would part them without end, the smoothed one has a lowest point: ln of the two shares."""
    ends = []
    for smoothing in (0.0, 0.2):
        logits = torch.zeros(1, 2, requires_grad=True)
        for _ in range(300):
            (slope,) = torch.autograd.grad(full_softmax(logits, torch.tensor([0]), torch.ones(1), smoothing=smoothing), logits)
            logits = (logits - slope).detach().requires_grad_()
        ends.append((logits[0, 0] - logits[0, 1]).item())
    assert ends[1] == pytest.approx(math.log(0.9 / 0.1), abs=1e-3)
    assert ends[0] > 5


def test_it_belongs_to_the_softmax_losses_of_a_ranking_head() -> None:
    for loss in ("bce", "gbce", "bpr", "mse"):
        with pytest.raises(ValidationError, match=f"should stand beside loss = 'softmax' or 'sampled_softmax', and '{loss}' is asked for"):
            TrainingOptions(loss=loss, label_smoothing=0.1)  # type: ignore[arg-type]
    options = TrainingOptions(label_smoothing=0.1, heads={"click": 1.0})
    with pytest.raises(ConfigError, match=r"label_smoothing = 0\.1 is of the ranking head, and ContextTransformer is to learn click only"):
        options.objective(ContextTransformer())
    assert TrainingOptions(label_smoothing=0.1).objective(ContextTransformer()).label_smoothing == 0.1
    assert TrainingOptions(label_smoothing=0.1).suited(BiasedMF()).label_smoothing == 0.0  # a baseline without that head
