from __future__ import annotations

from pathlib import Path

import torch

from germane.encoders.language_model import LanguageModel, pooled


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
