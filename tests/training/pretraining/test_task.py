from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from germane.encoders.language_model import LanguageModel
from germane.errors import ConfigError
from germane.training.pretraining.task import HELD_OUT, Learning, held_apart, top_layers


@pytest.mark.parametrize(("n", "share", "aside"), [(100, 0.1, 10), (4, 0.01, 2), (4, 0.99, 2), (100_000, 0.5, HELD_OUT)])
def test_some_are_held_apart(n: int, share: float, aside: int) -> None:
    learn, judge = held_apart(n, share, 0, "texts", least=2)
    assert len(judge) == aside and sorted([*learn, *judge]) == list(range(n))
    assert np.array_equal(judge, held_apart(n, share, 0, "texts", least=2)[1])


def test_too_few_to_hold_any_apart() -> None:
    with pytest.raises(ConfigError, match="there are 3 texts, and pretraining needs 4 at least"):
        held_apart(3, 0.1, 0, "texts", least=2)


def test_top_layers_and_nothing_below(tiny_model: Path) -> None:
    body = LanguageModel(tiny_model, "mean", 20).body
    top_layers(body, 1)
    learns = {name for name, parameter in body.named_parameters() if parameter.requires_grad}
    assert learns and not any(".0." in name or name.startswith(("embeddings", "wte", "wpe", "embed_tokens")) for name in learns)
    top_layers(body, None)
    assert all(parameter.requires_grad for parameter in body.parameters())
    with pytest.raises(ConfigError, match="layers = 3: the language model has 2"):
        top_layers(body, 3)


def test_tied_weights_are_kept_once() -> None:
    module = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    module[1].weight = module[0].weight
    learning = Learning(module)
    assert list(learning.state_dict()) == ["0.weight"]
    learning.load_state_dict({"0.weight": torch.ones(2, 2)})
    assert module[1].weight.eq(1).all()
