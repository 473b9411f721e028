from __future__ import annotations

from pathlib import Path

import pytest
import torch

from germane.encoders.language_model import LanguageModel, pooled
from germane.errors import ConfigError


def test_pooling_reads_what_is_there() -> None:
    states, there = torch.arange(12.0).reshape(2, 3, 2), torch.tensor([[1, 1, 1], [1, 1, 0]])
    assert pooled(states, there, "mean").tolist() == [[2.0, 3.0], [7.0, 8.0]]
    assert pooled(states, there, "cls").tolist() == [[0.0, 1.0], [6.0, 7.0]]


def test_it_is_frozen_until_something_may_learn_and_then_gives_gradients(tiny_bert: Path) -> None:
    model = LanguageModel(tiny_bert, "mean", 16)
    assert not any(parameter.requires_grad for parameter in model.parameters())
    weight = model.body.get_input_embeddings().weight.requires_grad_()
    model(model.tokens(["rain", "a quiet film"]))[0, 0].backward()
    rain = model.tokens(["rain"])["input_ids"][0, 1]
    assert weight.grad is not None and weight.grad[rain].any()


def test_worked_out_again_gives_the_same_gradients_and_keeps_less_than_half(tiny_bert: Path) -> None:
    model = LanguageModel(tiny_bert, "mean", 16)
    model.body.requires_grad_(True).train()  # with dropout
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    tokens = model.tokens(["a quiet film about rain and the war in space"] * 8)
    held, gradients = [], []
    for on in (False, True):
        model.checkpointing(on)
        kept: dict[int, torch.Tensor] = {}

        def keep(tensor: torch.Tensor, kept: dict[int, torch.Tensor] = kept) -> torch.Tensor:
            kept.setdefault(tensor.untyped_storage().data_ptr(), tensor)
            return tensor

        torch.manual_seed(1)
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            loss = model(tokens).square().cumsum(1).sum()
        held.append(sum(tensor.untyped_storage().nbytes() for place, tensor in kept.items() if place not in own))
        gradients.append(torch.autograd.grad(loss, list(model.parameters()), allow_unused=True))
    assert held[1] < held[0] / 2
    pairs = list(zip(*gradients, strict=True))
    assert any(one is not None and one.any() for one, _ in pairs)
    assert all((one is None) == (again is None) and (one is None or torch.equal(one, again)) for one, again in pairs)


def test_gradients_end_at_what_is_frozen_all_the_same(tiny_bert: Path) -> None:
    model = LanguageModel(tiny_bert, "mean", 16)
    layers = model.body.encoder.layer
    layers[1].requires_grad_(True)
    model.train()
    model.checkpointing()
    reached: list[bool] = []
    handle = layers[0].register_forward_hook(lambda module, given, out: reached.append((out[0] if isinstance(out, tuple) else out).requires_grad))
    model(model.tokens(["rain"])).sum().backward()
    handle.remove()
    assert reached and not any(reached)
    assert layers[1].attention.self.query.weight.grad is not None


def test_a_body_that_cannot_work_its_layers_out_again_is_refused(tiny_bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = LanguageModel(tiny_bert, "mean", 16)
    monkeypatch.setattr(type(model.body), "supports_gradient_checkpointing", False)
    with pytest.raises(ConfigError, match=r"cannot work out the layers of BertModel again; leave training.checkpointing out"):
        model.checkpointing()
