from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from germane.encoders.adaptation import Adaptation, adapt, fold
from germane.encoders.families import Pooling
from germane.encoders.language_model import LanguageModel, Precision, pooled
from germane.encoders.word_head import WordHead
from germane.errors import ConfigError


def test_pooling_reads_what_is_there() -> None:
    states, there = torch.arange(12.0).reshape(2, 3, 2), torch.tensor([[1, 1, 1], [1, 1, 0]])
    assert pooled(states, there, "mean").tolist() == [[2.0, 3.0], [7.0, 8.0]]
    assert pooled(states, there, "cls").tolist() == [[0.0, 1.0], [6.0, 7.0]]
    assert pooled(states, there, "last").tolist() == [[4.0, 5.0], [8.0, 9.0]]


def test_pooling_does_not_mind_where_the_padding_is() -> None:
    states, left = torch.arange(12.0).reshape(2, 3, 2), torch.tensor([[0, 1, 1], [0, 0, 1]])
    assert pooled(states, left, "mean").tolist() == [[3.0, 4.0], [10.0, 11.0]]
    assert pooled(states, left, "cls").tolist() == [[2.0, 3.0], [10.0, 11.0]]
    assert pooled(states, left, "last").tolist() == [[4.0, 5.0], [10.0, 11.0]]


@pytest.mark.parametrize("pooling", ["mean", "last"])
def test_a_decoder_reads_the_same_whatever_stands_beside_a_text(tiny_llama: Path, pooling: Pooling) -> None:
    from transformers import AutoModel, AutoTokenizer

    model = LanguageModel(tiny_llama, pooling, 16)
    texts = ["rain", "a quiet film about rain and the war in space"]
    tokenizer, body = AutoTokenizer.from_pretrained(tiny_llama), AutoModel.from_pretrained(tiny_llama)
    assert tokenizer.padding_side == "left"
    for text, vector in zip(texts, model(model.tokens(texts)), strict=True):
        states = body(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        alone = states[-1] if pooling == "last" else states.mean(0)
        torch.testing.assert_close(vector, torch.nn.functional.normalize(alone, dim=0), atol=1e-5, rtol=0)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_is_near_and_gives_float32(tiny_bert: Path, tiny_llama: Path, precision: Precision) -> None:
    for folder in (tiny_bert, tiny_llama):
        whole, half = LanguageModel(folder, "mean", 16), LanguageModel(folder, "mean", 16, precision=precision)
        sizes = [sum(p.numel() * p.element_size() for p in model.parameters()) for model in (whole, half)]
        assert sizes[1] == sizes[0] / 2
        tokens = whole.tokens(["rain", "a quiet film about rain"])
        a, b = whole(tokens), half(tokens)
        assert b.dtype == torch.float32
        assert ((a * b).sum(-1) > 0.999).all() and not torch.equal(a, b)


def test_a_byte_a_weight_is_near(tiny_bert: Path, tiny_llama: Path) -> None:
    for folder in (tiny_bert, tiny_llama):
        whole, little = LanguageModel(folder, "mean", 16), LanguageModel(folder, "mean", 16, precision="int8")
        tokens = whole.tokens(["rain", "a quiet film about rain"])
        assert ((whole(tokens) * little(tokens)).sum(-1) > 0.99).all()
        kinds = {type(part.weight).__name__ for part in little.modules() if isinstance(part, torch.nn.Linear)}
        assert kinds == {"Int8Tensor"}


@pytest.mark.parametrize("precision", ["int8", "bf16", "fp16"])
def test_what_lora_learns_on_few_bits_stays_beside(tiny_model: Path, precision: Precision) -> None:
    little = LanguageModel(tiny_model, "mean", 16, precision=precision)
    tokens = little.tokens(["rain", "a quiet film about rain"])
    adapt(little, Adaptation("lora", rank=2))
    before = little(tokens)
    with torch.no_grad():
        for parameter in little.parameters():
            if parameter.requires_grad:
                parameter.add_(0.2)
    learnt = little(tokens).detach()
    fold(little)
    torch.testing.assert_close(little(tokens), learnt)
    assert not torch.allclose(learnt, before, atol=1e-3) and not any(parameter.requires_grad for parameter in little.parameters())


def test_without_its_library_int8_says_what_to_install(tiny_bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchao.quantization", None)
    with pytest.raises(ConfigError, match=r"worked out by torchao, which is not installed: pip install 'germane\[int8\]'"):
        LanguageModel(tiny_bert, "mean", 16, precision="int8")


def test_what_does_not_fit_is_read_from_disk_layer_by_layer(tiny_bert: Path, tiny_llama: Path) -> None:
    for folder in (tiny_bert, tiny_llama):
        whole, little = LanguageModel(folder, "mean", 16), LanguageModel(folder, "mean", 16, memory=1e-6)
        assert any(parameter.is_meta for parameter in little.parameters())
        texts = ["rain", "a quiet film about rain"]
        torch.testing.assert_close(little(little.tokens(texts)), whole(whole.tokens(texts)), atol=1e-6, rtol=0)


def changed(base: Path, folder: Path, change: Callable[[str, Tensor], Tensor | None]) -> Path:
    """The same model with these weights; None: without them."""
    shutil.copytree(base, folder)
    weights = {name: change(name, tensor) for name, tensor in load_file(base / "model.safetensors").items()}
    save_file({name: tensor for name, tensor in weights.items() if tensor is not None}, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.mark.parametrize("how", [{}, {"precision": "bf16"}, {"precision": "int8"}, {"memory": 1e-6}])
def test_weights_that_lack_a_layer_are_refused(tiny_model: Path, tmp_path: Path, how: dict[str, Any]) -> None:
    folder = changed(tiny_model, tmp_path / "cut", lambda name, tensor: None if ".1." in name else tensor)
    with pytest.raises(ConfigError, match=r"cut cannot be loaded: its weights lack \S+\.1\.\S+ and \d+ more\. Fetch or save it anew"):
        LanguageModel(folder, "mean", 16, **how)


def test_a_pooler_may_be_missing(tiny_bert: Path, tmp_path: Path) -> None:
    whole = LanguageModel(tiny_bert, "cls", 16)
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    bare = LanguageModel(changed(tiny_bert, tmp_path / "bare", lambda name, tensor: None if "pooler" in name else tensor), "cls", 16)
    assert torch.equal(torch.random.get_rng_state(), before)  # else the model would begin otherwise where all vectors are in the cache
    tokens = whole.tokens(["rain", "a quiet film"])
    assert torch.equal(bare(tokens), whole(tokens))


def mute(folder: Path) -> Path:
    """Without its tokenizer."""
    for part in folder.iterdir():
        if "token" in part.name or "vocab" in part.name or "merges" in part.name:
            part.unlink()
    return folder


def test_a_folder_without_a_tokenizer_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    folder = mute(changed(tiny_model, tmp_path / "mute", lambda name, tensor: tensor))
    says = r"mute cannot be loaded: (it holds no tokenizer|its tokenizer is missing or .*[^:.\s]\)); tokenizer\.save_pretrained\(folder\) writes"
    with pytest.raises(ConfigError, match=says):
        LanguageModel(folder, "mean", 16)
    with pytest.raises(ConfigError, match=says):
        WordHead(folder, 16, seed=0)


def test_a_tokenizer_that_counts_its_marks_otherwise_is_missed_too(tiny_of: Callable[..., Path]) -> None:
    """DeBERTa's begins with numbers that no mark has."""
    with pytest.raises(ConfigError, match="DebertaV2 cannot be loaded: it holds no tokenizer"):
        LanguageModel(mute(tiny_of("DebertaV2")), "mean", 16)


def test_a_tokenizer_of_another_model_is_refused(tiny_bert: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer, BertConfig, BertModel

    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32, "max_position_embeddings": 40}
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    last = len(tokenizer) - 1
    for many, folder in ((last, tmp_path / "few"), (last + 1, tmp_path / "enough")):
        BertModel(BertConfig(vocab_size=many, **sizes)).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    for read in (lambda: LanguageModel(tmp_path / "few", "mean", 16), lambda: WordHead(tmp_path / "few", 16, seed=0)):
        with pytest.raises(ConfigError, match=f"few cannot be loaded: its tokenizer has tokens up to number {last}, and its model knows those below"):
            read()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<picture>"]})
    tokenizer.save_pretrained(tmp_path / "enough")
    assert len(LanguageModel(tmp_path / "enough", "mean", 16).tokenizer) == last + 2  # Gemma 3 has such a mark, and no vector for it


def test_weights_of_another_size_are_refused(tiny_model: Path, tmp_path: Path) -> None:
    folder = changed(tiny_model, tmp_path / "narrow", lambda name, tensor: tensor[:, :8].contiguous() if tensor.ndim == 2 else tensor)
    with pytest.raises(ConfigError, match=r"narrow cannot be loaded: its weights hold \S+ in the size \[\d+, 8\], and its config.json asks for"):
        LanguageModel(folder, "mean", 16)
    with pytest.raises(ConfigError, match="in the size"):
        WordHead(folder, 16, seed=0)


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
