from __future__ import annotations

import pytest
import torch

from germane.losses import click_loss, conversion_loss, full_softmax, rating_loss, sampled

HALF = [torch.bfloat16, torch.float16]


@pytest.mark.parametrize("half", HALF)
def test_every_loss_of_half_scores_is_that_of_the_same_scores_in_float32(half: torch.dtype) -> None:
    torch.manual_seed(0)
    scores, ones = torch.randn(5, 300).to(half), torch.ones(5)
    row, levels = scores[:, 0], torch.tensor([1.0, 2.0, 5.0])
    clash = torch.zeros(5, 300, dtype=torch.bool)

    def losses(scores: torch.Tensor, row: torch.Tensor) -> list[torch.Tensor]:
        found = [full_softmax(scores, torch.zeros(5, dtype=torch.int64), ones, clash), click_loss(row, ones, ones)]
        found += [sampled(kind, row, scores, clash, ones, torch.zeros(300), 1000) for kind in ("sampled_softmax", "bce", "gbce", "bpr")]
        found += [rating_loss(kind, row, ones * 2, ones, levels, torch.zeros(2)) for kind in ("mse", "bce", "ordinal")]
        return [*found, conversion_loss(row, row, ones, ones, ones)]

    for given, wide in zip(losses(scores, row), losses(scores.float(), row.float()), strict=True):
        assert given.dtype is torch.float32 and torch.equal(given, wide)
