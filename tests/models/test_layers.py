"""The block that models over histories are built of, and its gates."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import germane
from germane import Query, Recommender
from germane.jobs.train import train
from germane.models import ContextTransformer, Model, SASRec
from germane.models.context.history import HistoryTransformer
from germane.models.layers import Block, Blocks, hidden_places
from germane.testing.model_contract import small_shop
from germane.training import TrainingOptions


def asked(width: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    """[2, 6, width] and the mask of a causal block; the second history has two empty places."""
    torch.manual_seed(0)
    empty = torch.zeros(2, 6, dtype=torch.bool)
    empty[1, :2] = True
    return torch.randn(2, 6, width), torch.zeros(2, 1, 6, 6).masked_fill(hidden_places(empty)[:, None], -1e9)


def gated(bias: float = 0.0) -> Block:
    block = Block(8, 2, 0.0, gated=True)
    assert block.gates is not None
    for gate in block.gates:
        torch.nn.init.constant_(gate.bias, bias)
    return block


def test_closed_gates_leave_everything_as_it_is() -> None:
    x, bias = asked()
    assert torch.equal(gated(-200.0)(x, bias), x)
    assert not torch.allclose(gated(0.0)(x, bias), x, atol=1e-3)


def test_open_gates_are_a_plain_block() -> None:
    x, bias = asked()
    block, plain = gated(200.0), Block(8, 2, 0.0)
    plain.load_state_dict({name: tensor for name, tensor in block.state_dict().items() if not name.startswith("gates")})
    torch.testing.assert_close(block(x, bias), plain(x, bias))


def test_each_place_has_a_gate_of_its_own() -> None:
    """A gate reads the place itself: those it closes stay, the others move."""
    x, bias = asked()
    block = gated()
    assert block.gates is not None
    with torch.no_grad():
        x[:, :, 0] = torch.where(torch.arange(6) < 3, -1.0, 1.0)
        for gate in block.gates:
            gate.weight[:, 0] = 200.0
    out = block(x, bias)
    assert torch.equal(out[:, :3], x[:, :3]) and (out[:, 3:] - x[:, 3:]).abs().amax(2).min() > 1e-3


def test_gates_and_what_is_behind_them_learn() -> None:
    x, bias = asked()
    block = gated()
    block(x, bias).square().sum().backward()
    assert all(part.grad is not None and part.grad.abs().max() > 0 for name, part in block.named_parameters() if name != "projections.bias")


@pytest.mark.parametrize("block", [Block(8, 2, 0.0), gated()], ids=["plain", "gated"])
def test_what_comes_later_changes_nothing_before_it(block: Block) -> None:
    x, bias = asked()
    later = x.clone()
    later[:, 4:] += 1
    before, after = block(x, bias), block(later, bias)
    assert torch.equal(before[:, :4], after[:, :4]) and not torch.equal(before[:, 4:], after[:, 4:])


@pytest.mark.parametrize("kind", [ContextTransformer, SASRec])
def test_gates_are_off_at_first_and_come_back_with_a_run(kind: type[Model], tmp_path: Path) -> None:
    assert not kind().options.gated  # type: ignore[attr-defined]
    shop = train(Recommender(kind(width=8, length=6, blocks=1, gated=True)), small_shop(), training=TrainingOptions(epochs=1))
    held = [name for name in shop.model.state() if "gates" in name]
    assert len(held) == 4  # weight and bias, of attention and of feed-forward
    germane.save(shop, tmp_path / "run")
    query = Query(history=("i1", "i3"))
    before = [(place.item, pytest.approx(place.score)) for place in shop.recommend(query).items]
    assert [(place.item, place.score) for place in germane.load(tmp_path / "run").recommend(query).items] == before


def saved_bytes(model: torch.nn.Module, run: Callable[[], torch.Tensor]) -> tuple[int, torch.Tensor]:
    """Of the activations that a way forward keeps for the way back, each storage once, and what comes out."""
    kept: dict[int, torch.Tensor] = {}  # held, so that no storage is used again
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept.setdefault(tensor.untyped_storage().data_ptr(), tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        out = run()
    return sum(tensor.untyped_storage().nbytes() for place, tensor in kept.items() if place not in own), out


@pytest.mark.parametrize("blocks", [1, 3])
def test_worked_out_again_gives_the_same_gradients_and_keeps_less_than_half(blocks: int) -> None:
    """Bit for bit, with dropout."""
    torch.manual_seed(0)
    history = HistoryTransformer(16, blocks, 2, 12, 0.3, relative_time=True).train()
    x, empty, times = torch.randn(4, 12, 16, requires_grad=True), torch.zeros(4, 12, dtype=torch.bool), torch.arange(12.0).expand(4, -1) * 1e4
    held, gradients = [], []
    for on in (False, True):
        assert isinstance(history.blocks, Blocks)
        history.blocks.checkpointing(on)
        torch.manual_seed(1)
        bytes_, out = saved_bytes(history, lambda: history(x, empty, times))
        held.append(bytes_)
        gradients.append(torch.autograd.grad(out.square().sum(), [x, *history.parameters()]))
    assert all(torch.equal(one, again) for one, again in zip(*gradients, strict=True))
    assert held[1] < held[0] / 2


def test_nothing_is_worked_out_again_where_nothing_learns() -> None:
    history = HistoryTransformer(8, 1, 2, 6, 0.3, relative_time=False).eval()
    history.blocks.checkpointing()
    x, empty, times = torch.randn(2, 6, 8), torch.zeros(2, 6, dtype=torch.bool), torch.zeros(2, 6)
    assert torch.equal(history(x, empty, times), history(x, empty, times))
