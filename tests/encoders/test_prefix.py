from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from germane.encoders.language_model import LanguageModel
from germane.encoders.prefix import Prefix, Prefixes
from germane.errors import ConfigError


def test_one_place_adds_its_value_as_far_as_the_gate_is_open() -> None:
    prefix = Prefix(heads=1, places=1, width=2)
    with torch.no_grad():
        prefix.values.copy_(torch.tensor([[[1.0, -2.0]]]))
        prefix.gate.fill_(0.5)
    added = prefix(torch.randn(3, 2, 4, 2))  # two heads of queries share the one of keys
    assert torch.allclose(added, torch.tensor(0.5).tanh() * torch.tensor([1.0, -2.0]).expand(3, 4, 2, 2))


def test_it_goes_again(tiny_model: Path) -> None:
    model = LanguageModel(tiny_model, "mean", 16)
    tokens = model.tokens(["rain", "a quiet film"])
    before = model(tokens)
    put = Prefixes(model, 2)
    with torch.no_grad():
        for part in put.attentions:
            part.prefix.gate.fill_(3.0)  # type: ignore[union-attr, operator]
    assert len(put.attentions) == 2 and not torch.allclose(model(tokens), before, atol=1e-4)
    put.remove()
    assert torch.equal(model(tokens), before)


def test_an_attention_that_takes_none(tiny_of: Callable[..., Path]) -> None:
    model = LanguageModel(tiny_of("Gemma2", num_key_value_heads=1, head_dim=8, bos_token_id=2, eos_token_id=3), "mean", 16)
    before = model(model.tokens(["rain"]))
    with pytest.raises(ConfigError, match="Gemma2Model has no attention that takes a prefix; choose top:N, full, lora or adapter"):
        Prefixes(model, 2)
    assert torch.equal(model(model.tokens(["rain"])), before)
