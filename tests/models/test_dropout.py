from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from germane.models.dropout import Dropout, dropout
from germane.models.layers import Block, attention


@pytest.mark.parametrize("share", [0.0, 0.1, 0.4, 0.75, 1.0])
@pytest.mark.parametrize("shape", [(100_003,), (7, 50, 300)])
def test_so_many_fall_out_and_the_others_make_up_for_it(share: float, shape: tuple[int, ...]) -> None:
    torch.manual_seed(1)
    x = torch.full(shape, 3.0, requires_grad=True)
    found = dropout(x, share)
    left = (found != 0).float()
    assert left.mean().item() == pytest.approx(1 - share, abs=0.005)
    if share < 1:
        assert found[found != 0].unique().tolist() == [pytest.approx(3 / (1 - share), rel=1e-4)]
        assert found.mean().item() == pytest.approx(3.0, rel=0.02)
    found.sum().backward()
    assert x.grad is not None and torch.equal(x.grad, (found / 3).detach())  # what fell out learns nothing


def test_neighbours_fall_out_by_themselves() -> None:
    """Four numbers come of one draw: whether one falls out must say nothing of those beside it."""
    torch.manual_seed(0)
    out = (dropout(torch.ones(400_000), 0.3) == 0).double().reshape(-1, 4)
    assert torch.corrcoef(out.T).fill_diagonal_(0).abs().max() < 0.02
    assert ((out.mean(0) - 0.3).abs() < 0.01).all()


def test_the_seed_decides_and_judging_drops_nothing() -> None:
    part, x = Dropout(0.5), torch.randn(64, 3)
    first, second = (torch.manual_seed(4), part(x))[1], (torch.manual_seed(4), part(x))[1]
    assert torch.equal(first, second) and not torch.equal(first, part(x))
    assert part.eval()(x) is x and Dropout(0.0)(x) is x


def test_attention_is_torchs_own_in_the_mean() -> None:
    torch.manual_seed(2)
    q, k, v = torch.randn(3, 1, 2, 5, 8).unbind()
    bias = torch.randn(1, 1, 5, 5)
    whole = functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)
    assert torch.equal(attention(q, k, v, bias, 0.0), whole)
    many = attention(q.expand(20_000, -1, -1, -1), k, v, bias, 0.3)
    assert torch.allclose(many.mean(0, keepdim=True), whole, atol=0.05)
    assert torch.allclose(many[0], many[1]) is False


def test_half_precision_stays_what_it_is() -> None:
    torch.manual_seed(3)
    x, bias = torch.randn(2, 6, 16), torch.zeros(2, 1, 6, 6)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert Block(16, 2, 0.2)(x, bias).isfinite().all()
    assert dropout(x.bfloat16(), 0.2).dtype == torch.bfloat16
