from __future__ import annotations

import math

import pytest
import torch
from pydantic import ValidationError

from germane.errors import ConfigError
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
