"""Groups of weights, their learning rates, and the rules by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from germane.encoders import LearningTexts, PretrainedText
from germane.errors import ConfigError
from germane.training import TrainingOptions
from germane.training.optimisers import PUT_IN, TEXT, optimisers_of, set_rates


class Shop(nn.Module):
    """As much of a model as an optimiser sees."""

    def __init__(self, texts: LearningTexts | None = None) -> None:
        super().__init__()
        self.items, self.norm = nn.Linear(3, 2), nn.LayerNorm(2)
        self.texts = texts

    def texts_that_learn(self) -> LearningTexts | None:
        return self.texts


def made(model: nn.Module, **options: Any) -> list[torch.optim.Optimizer]:
    return optimisers_of(model, TrainingOptions(**options), 100, 200)  # type: ignore[arg-type]


def rates(rules: list[torch.optim.Optimizer], weights: list[nn.Parameter]) -> set[float]:
    wanted = {id(weight) for weight in weights}
    return {group["initial_lr"] for rule in rules for group in rule.param_groups for weight in group["params"] if id(weight) in wanted}


@pytest.fixture
def tuned(tiny_bert: Path) -> Callable[[str], LearningTexts]:
    def one(tuning: str) -> LearningTexts:
        learning = PretrainedText(model=str(tiny_bert), tuning=tuning).learning(["red boots", "blue hat"])
        assert learning is not None
        return learning

    return one


def test_biases_and_norms_do_not_decay() -> None:
    model = Shop()
    (rule,) = made(model, weight_decay=0.5)
    decay = {id(weight): group["weight_decay"] for group in rule.param_groups for weight in group["params"]}
    assert decay == {id(model.items.weight): 0.5, id(model.items.bias): 0.0, id(model.norm.weight): 0.0, id(model.norm.bias): 0.0}


def test_layers_of_a_language_model_learn_at_falling_rates(tuned: Callable[[str], LearningTexts]) -> None:
    texts = tuned("full")
    layers = texts.layers()
    assert len(layers) >= 3  # tokens, two layers
    model = Shop(texts)
    rules = made(model, learning_rate={"text": 1e-4, "rest": 1e-2}, layer_decay=0.5)
    for below, layer in enumerate(reversed(layers)):
        assert list(rates(rules, layer)) == pytest.approx([1e-4 * 0.5**below])
    assert rates(rules, list(model.items.parameters())) == {1e-2}
    learning = [id(p) for rule in rules for group in rule.param_groups for p in group["params"]]
    assert sorted(learning) == sorted(id(p) for p in model.parameters())


def test_one_number_leaves_pretrained_layers_a_small_rate_and_what_is_put_in_a_larger_one(tuned: Callable[[str], LearningTexts]) -> None:
    assert rates(made(Shop(texts := tuned("top:1")), learning_rate=1e-2), texts.layers()[-1]) == {TEXT}
    assert rates(made(Shop(texts := tuned("lora")), learning_rate=1e-2), texts.layers()[-1]) == {PUT_IN}
    assert rates(made(Shop(texts := tuned("lora")), learning_rate=1e-4), texts.layers()[-1]) == {1e-4}
    said = made(Shop(texts := tuned("adapter")), learning_rate={"text": 1e-3}, layer_decay=1.0)
    assert rates(said, list(texts.parameters())) == {1e-3}


def test_a_schedule_multiplies_each_groups_own_rate(tuned: Callable[[str], LearningTexts]) -> None:
    rules = made(Shop(tuned("top:1")), learning_rate={"text": 1e-4, "rest": 1e-2}, layer_decay=1.0)
    for _ in range(2):  # and does not pile up
        set_rates(rules, 0.25)
    assert {group["lr"] for rule in rules for group in rule.param_groups} == {2.5e-5, 2.5e-3}


@pytest.mark.parametrize("optimiser", ["adamw", "adam", "sgd", "adafactor"])
def test_every_rule_finds_the_bottom_of_a_bowl(optimiser: str) -> None:
    torch.manual_seed(0)
    model = Shop()
    (rule,) = made(model, optimiser=optimiser, learning_rate=0.05, weight_decay=0.0)
    for _ in range(400):
        rule.zero_grad()
        sum((weight - 1).square().sum() for weight in model.parameters()).backward()  # type: ignore[union-attr]
        rule.step()
    assert all((weight - 1).abs().max() < 0.1 for weight in model.parameters())


def test_momentum_by_hand() -> None:
    model = Shop()
    (rule,) = made(model, optimiser="sgd", learning_rate=0.1, momentum=0.5, weight_decay=0.0)
    start = model.norm.bias.detach().clone()
    for _ in range(2):
        for weight in model.parameters():
            weight.grad = torch.ones_like(weight)
        rule.step()
    torch.testing.assert_close(model.norm.bias.detach(), start - 0.1 * (1 + 1.5))


@pytest.mark.parametrize("optimiser", ["adamw", "adam", "sgd"])
def test_one_kernel_for_all_weights_steps_as_torchs_plain_rule(optimiser: str) -> None:
    rule_of = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam, "sgd": torch.optim.SGD}[optimiser]
    ends = []
    for plain in (False, True):
        torch.manual_seed(0)
        model = Shop()
        (rule,) = made(model, optimiser=optimiser, learning_rate=0.01)
        assert rule.defaults["fused"]
        if plain:
            groups = [{key: group[key] for key in ("params", "lr", "weight_decay")} for group in rule.param_groups]
            rule = rule_of(groups, fused=False, **({"momentum": 0.9} if optimiser == "sgd" else {}))
        for step in range(5):
            for weight in model.parameters():
                weight.grad = torch.randn(weight.shape, generator=torch.Generator().manual_seed(step))
            rule.step()
        ends.append(nn.utils.parameters_to_vector(model.parameters()).detach())
    torch.testing.assert_close(ends[0], ends[1], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("wrong", [0, -1e-3, "fast", {"text": 0}, {"words": 1e-3}, {}, True])
def test_a_rate_is_a_number_or_says_its_parts(wrong: Any) -> None:
    from germane.config import Config

    sentence = r"\[training\] option learning_rate = .*: should be a number above 0, or a table such as {text = 1e-5, rest = 1e-3} of such numbers"
    with pytest.raises(ConfigError, match=sentence) as told:
        Config.of({"data": {"events": "e.csv"}, "training": {"learning_rate": wrong}}, Path())
    assert len([fault for fault in told.value.faults if "learning_rate" in fault]) == 1


def test_what_is_not_said_of_the_parts() -> None:
    assert (TrainingOptions(learning_rate=0.1).rate, TrainingOptions(learning_rate=0.1).text_rate) == (0.1, None)
    assert TrainingOptions(learning_rate={"text": 1e-4}).rate == TrainingOptions().rate == 2e-3
