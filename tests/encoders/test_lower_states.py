from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from germane.encoders import LearningTexts, PretrainedText
from germane.encoders.adaptation import Adaptation, adapt, depths, layers_of
from germane.encoders.language_model import LanguageModel
from germane.encoders.lower_states import LowerStates
from germane.errors import ConfigError

TEXTS = ["rain", "a quiet film about rain and the war in space", "new war", "rain"]
KINDS = {"top:1": {}, "lora": {"layers": 1}, "adapter": {"layers": 1}, "prefix": {"layers": 1}}


def model_of(folder: Path, tuning: str = "top:1") -> tuple[LanguageModel, dict[str, torch.nn.Parameter]]:
    model = LanguageModel(folder, "mean", 32)
    torch.manual_seed(0)
    learns = adapt(model, Adaptation(tuning, rank=2, size=4, places=3, **KINDS[tuning]))
    with torch.no_grad():
        for parameter in learns.values():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return model, learns


def passes(model: LanguageModel) -> list[int]:
    """Texts that go through the lowest layer, each time."""
    seen: list[int] = []
    layers_of(model.body)[0].register_forward_hook(lambda layer, given, made: seen.append(len(given[0])))
    return seen


@pytest.mark.parametrize("tuning", list(KINDS))
def test_vectors_and_gradients_are_those_of_the_whole_model(tiny_model: Path, tuning: str) -> None:
    model, learns = model_of(tiny_model, tuning)
    assert set(depths(model.body, list(learns))) == {2}
    direction = torch.randn(model.body.config.hidden_size)
    found = []
    for lower in (LowerStates(model, 0, 0.0), LowerStates(model, 1, 1e9)):
        model.zero_grad()
        with torch.inference_mode():  # what is kept by a pass without gradients serves one with them
            lower(TEXTS[:2])
        vectors = lower(TEXTS)
        (vectors @ direction).sum().backward()
        found.append((vectors.detach(), [parameter.grad.clone() for parameter in learns.values() if parameter.grad is not None]))
    assert len(lower) == 3
    torch.testing.assert_close(found[1][0], found[0][0], atol=1e-6, rtol=0)
    assert found[0][1]
    for whole, kept in zip(found[0][1], found[1][1], strict=True):
        torch.testing.assert_close(kept, whole, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("convolution", [0, 3])
@pytest.mark.parametrize("below", [1, 2])
def test_layers_that_give_more_than_their_states(tiny_of: Callable[..., Path], below: int, convolution: int) -> None:
    """DeBERTa's give nothing beside; where its convolution stands between the first two layers, nothing can be handed on in the first one's place."""
    folder = tiny_of("DebertaV2", relative_attention=True, position_buckets=8, pos_att_type=["p2c", "c2p"], conv_kernel_size=convolution)
    encoder = PretrainedText(model=str(folder), tuning=f"top:{3 - below}", max_tokens=32)
    learning = encoder.learning(TEXTS)
    assert learning is not None and learning.lower.below == below
    learning.lower.fill(TEXTS, 2)
    assert len(learning.lower) == (0 if convolution and below == 1 else 3)
    torch.testing.assert_close(learning.encode(TEXTS), encoder.untuned().encode(TEXTS), atol=1e-6, rtol=0)


def test_layers_that_fill_up_whole_windows_are_gone_through_whole(tiny_of: Callable[..., Path]) -> None:
    """Longformer's states are longer than its texts, so none are kept."""
    encoder = PretrainedText(model=str(tiny_of("Longformer", attention_window=8)), tuning="top:1", max_tokens=32)
    learning = encoder.learning(TEXTS)
    assert learning is not None
    learning.lower.fill(TEXTS, 2)
    assert not len(learning.lower)
    torch.testing.assert_close(learning.encode(TEXTS), encoder.untuned().encode(TEXTS), atol=1e-6, rtol=0)


def test_lower_layers_are_gone_through_once_a_text_and_upper_ones_as_they_stand(tiny_model: Path) -> None:
    model, learns = model_of(tiny_model)
    lower, seen = LowerStates(model, 1, 1e9), passes(model)
    before = lower(TEXTS).detach()
    after_first = len(seen)
    with torch.no_grad():
        for parameter in learns.values():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    changed = lower(TEXTS).detach()
    assert seen[:after_first] == [3, 4] and len(lower) == 3  # once to keep them; the second pass only hands on
    assert not torch.allclose(changed, before, atol=1e-3)
    torch.testing.assert_close(changed, model(model.tokens(TEXTS)).detach(), atol=1e-6, rtol=0)


def test_without_room_texts_go_through_the_whole_model(tiny_model: Path) -> None:
    model, _ = model_of(tiny_model)
    whole = model(model.tokens(TEXTS)).detach()
    width = model.body.config.hidden_size
    tokens = int(model.tokens(["rain"])["attention_mask"].sum())
    seen = passes(model)
    for room, kept, gone_through in ((0.0, 0, [4, 1]), (float(tokens * width * 4), 1, [3, 2, 2, 1])):
        lower = LowerStates(model, 1, room)
        seen.clear()
        torch.testing.assert_close(lower(TEXTS).detach(), whole, atol=1e-6, rtol=0)
        assert len(lower) == kept and lower.taken <= room
        torch.testing.assert_close(lower(["rain"]).detach(), whole[:1], atol=1e-6, rtol=0)
        assert seen == gone_through  # what finds no room is gone through whole, and not for keeping again; what is kept is handed on


def test_texts_said_otherwise_are_not_kept(tiny_model: Path) -> None:
    lower = LowerStates(model_of(tiny_model)[0], 1, 1e9)
    lower(TEXTS, keep=False)
    assert len(lower) == 0


def test_another_precision_forgets_what_was_kept(tiny_model: Path) -> None:
    learning = PretrainedText(model=str(tiny_model), tuning="top:1", max_tokens=32).learning(TEXTS)
    assert learning is not None
    learning.encode(TEXTS)
    assert len(learning.lower) == 3
    learning.double()
    assert len(learning.lower) == 0 and learning(torch.tensor([0])).dtype == torch.float64


def test_dropout_is_that_of_the_layers_which_learn(tiny_model: Path) -> None:
    model, _ = model_of(tiny_model)
    lower = LowerStates(model, 1, 1e9)
    model.train()
    torch.manual_seed(1)
    first, second = lower(TEXTS), lower(TEXTS)
    assert model.training and layers_of(model.body)[0].training
    drops = any(isinstance(part, torch.nn.Dropout) and part.p > 0 for part in layers_of(model.body)[1].modules())
    assert torch.equal(first, second) is not drops
    model.eval()
    torch.testing.assert_close(lower(TEXTS), model(model.tokens(TEXTS)), atol=1e-6, rtol=0)  # kept without any


def test_checkpointing_goes_along(tiny_model: Path) -> None:
    model, learns = model_of(tiny_model)
    lower = LowerStates(model, 1, 1e9)
    gradients = []
    for on in (False, True):
        model.checkpointing(on)
        model.train()
        for part in model.modules():
            if isinstance(part, torch.nn.Dropout):
                part.p = 0.0
        model.zero_grad()
        lower(TEXTS).sum().backward()
        gradients.append([parameter.grad.clone() for parameter in learns.values() if parameter.grad is not None])
    for plain, again in zip(*gradients, strict=True):
        torch.testing.assert_close(again, plain, atol=1e-7, rtol=1e-5)


def test_what_learns_below_leaves_nothing_to_keep(tiny_model: Path) -> None:
    for tuning in ("full", "lora", "adapter", "prefix", "top:2"):
        learning = PretrainedText(model=str(tiny_model), tuning=tuning, max_tokens=32).learning(TEXTS)
        assert isinstance(learning, LearningTexts) and learning.lower.below == 0


def test_what_was_tuned_in_some_layers_is_read_again(tiny_model: Path) -> None:
    for tuning in ("lora", "adapter", "prefix"):
        encoder = PretrainedText(model=str(tiny_model), tuning=tuning, layers=1, max_tokens=32)
        learning = encoder.learning(TEXTS)
        assert learning is not None and learning.lower.below == 1
        with torch.no_grad():
            for parameter in learning.learned:
                parameter.add_(torch.randn_like(parameter) * 0.1)
        told = learning.encode(TEXTS)
        again = encoder.anew()
        again.load_state(learning.learnt())
        torch.testing.assert_close(again.encode(TEXTS), told, atol=1e-5, rtol=0)


def test_layers_that_are_not_there_or_not_asked_for(tiny_model: Path) -> None:
    with pytest.raises(ConfigError, match=r"layers = 3: this language model has 2 layers"):
        PretrainedText(model=str(tiny_model), tuning="lora", layers=3).learning(TEXTS)
    with pytest.raises(ConfigError, match="say tuning = 'top:2'"):
        PretrainedText(tuning="full", layers=2)
