from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from germane.losses.pretraining import info_nce, unigram_loss


def test_info_nce_is_the_mean_of_both_ways() -> None:
    generator = torch.Generator().manual_seed(0)
    one, other = (functional.normalize(torch.randn(4, 3, generator=generator), dim=1) for _ in range(2))
    scores = (one @ other.T / 0.5).exp()
    by_hand = [-math.log(scores[i, i] / scores[i].sum()) for i in range(4)] + [-math.log(scores[i, i] / scores[:, i].sum()) for i in range(4)]
    found = info_nce(one, other, torch.zeros(4, 4, dtype=torch.bool), 0.5)
    assert found.item() == pytest.approx(sum(by_hand) / 8, abs=1e-6)


def test_a_false_negative_does_not_count() -> None:
    """Row 1's other is the same text as row 0's: told apart from nothing but row 2."""
    vectors = torch.eye(3)
    others = vectors[[0, 0, 2]]
    clash = torch.zeros(3, 3, dtype=torch.bool)
    clash[0, 1] = clash[1, 0] = True
    punished, spared = (info_nce(others, others, mask, 0.05).item() for mask in (torch.zeros_like(clash), clash))
    assert punished > 0.4 and spared < 1e-6


def test_gradients_stay_numbers_where_all_others_are_out() -> None:
    vectors = torch.ones(2, 3, requires_grad=True)
    info_nce(vectors, vectors, ~torch.eye(2, dtype=torch.bool), 0.05).backward()
    assert vectors.grad is not None and vectors.grad.isfinite().all()


def test_word_frequencies() -> None:
    counts = torch.tensor([3e6, 1e6, 0.0])
    assert unigram_loss(counts, torch.tensor([0, 0, 0, 1])) == pytest.approx(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)), abs=1e-4)
    assert math.isfinite(unigram_loss(counts, torch.tensor([2])))
