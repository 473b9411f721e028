from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from germane.encoders import adaptation
from germane.encoders.adaptation import Adaptation, adapt, behind, depths, fold, layers_of, put, trained
from germane.encoders.language_model import LanguageModel
from germane.errors import ConfigError

TEXTS = ["rain", "a quiet film about rain and the war in space", "new war"]
KINDS = ["top:1", "full", "lora", "adapter", "prefix"]


def made(folder: Path, tuning: str, **said: object) -> tuple[LanguageModel, dict[str, torch.nn.Parameter]]:
    model = LanguageModel(folder, "mean", 32)
    torch.manual_seed(0)
    return model, adapt(model, Adaptation(tuning, rank=2, size=4, places=3, **said))  # type: ignore[arg-type]


def vectors(model: LanguageModel) -> torch.Tensor:
    return model(model.tokens(TEXTS))


@pytest.mark.parametrize("tuning", KINDS)
def test_at_the_start_it_is_frozen_exactly_and_then_it_learns(tiny_model: Path, tuning: str) -> None:
    frozen = vectors(made(tiny_model, "frozen")[0])
    model, learns = made(tiny_model, tuning)
    assert torch.equal(vectors(model), frozen)
    optimiser = torch.optim.Adam(learns.values(), lr=0.05)
    fixed = {name: tensor.clone() for name, tensor in model.body.named_parameters() if name not in learns}
    wanted = torch.randn(16, generator=torch.Generator().manual_seed(1))
    for _ in range(10):
        optimiser.zero_grad()
        (-vectors(model)[0] @ wanted).backward()
        optimiser.step()
    assert vectors(model)[0] @ wanted > frozen[0] @ wanted + 0.01
    assert all(parameter.grad.any() for parameter in learns.values() if parameter.grad is not None)
    assert sum(parameter.grad is None for parameter in learns.values()) <= (2 if tuning == "full" else 0)  # BERT's pooler is not read
    assert all(torch.equal(tensor, dict(model.body.named_parameters())[name]) for name, tensor in fixed.items())


@pytest.mark.parametrize("tuning", ["lora", "adapter", "prefix"])
def test_taking_away_gives_frozen_back(tiny_model: Path, tuning: str) -> None:
    frozen = vectors(made(tiny_model, "frozen")[0])
    model, learns = made(tiny_model, tuning)
    start = trained(model.body, list(learns))
    with torch.no_grad():
        for parameter in learns.values():
            parameter.add_(torch.randn_like(parameter))
    assert not torch.allclose(vectors(model), frozen, atol=1e-3)
    changed = trained(model.body, list(learns))
    put(model.body, start)
    assert torch.equal(vectors(model), frozen)
    put(model.body, changed)
    other, _ = made(tiny_model, tuning)
    put(other.body, changed)
    assert torch.equal(vectors(other), vectors(model))


def test_folded_products_answer_alike(tiny_model: Path) -> None:
    model, learns = made(tiny_model, "lora", targets="all-linear")
    with torch.no_grad():
        for parameter in learns.values():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    before, size = vectors(model), sum(parameter.numel() for parameter in made(tiny_model, "frozen")[0].parameters())
    fold(model)
    torch.testing.assert_close(vectors(model), before, atol=2e-6, rtol=0)
    assert sum(parameter.numel() for parameter in model.parameters()) == size and not any(parameter.requires_grad for parameter in model.parameters())


def test_gradients_are_those_of_finite_differences(tiny_model: Path) -> None:
    for tuning in KINDS:
        model, learns = made(tiny_model, tuning)
        model.double()
        direction = torch.randn(16, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            for parameter in learns.values():
                parameter.add_(torch.randn_like(parameter) * 0.05)
        (vectors(model) @ direction).sum().backward()
        for parameter in [one for one in learns.values() if one.grad is not None][-3:]:
            at, step = int(parameter.grad.abs().argmax()), 1e-3
            sides = []
            for way in (step, -step):
                with torch.no_grad():
                    parameter.view(-1)[at] += way
                    sides.append(float((vectors(model) @ direction).sum()))
                    parameter.view(-1)[at] -= way
            assert float(parameter.grad.view(-1)[at]) == pytest.approx((sides[0] - sides[1]) / (2 * step), rel=5e-3, abs=1e-4)


def test_the_top_layers_are_those_next_to_the_answer(tiny_model: Path) -> None:
    model, learns = made(tiny_model, "top:1")
    last = {id(parameter) for parameter in layers_of(model.body)[-1].parameters()}
    assert last <= {id(parameter) for parameter in learns.values()}
    assert set(depths(model.body, list(learns))) == {2}
    everything = dict(model.body.named_parameters())
    assert set(depths(model.body, list(everything))) == {0, 1, 2}


def test_what_a_backbone_cannot_do(tiny_model: Path) -> None:
    with pytest.raises(ConfigError, match="this language model has 2 layers"):
        made(tiny_model, "top:3")
    with pytest.raises(ConfigError, match="Linear maps of this model are"):
        made(tiny_model, "lora", targets=("no_such_map",))
    with pytest.raises(ConfigError, match=r"targets = '\(': missing \), .* 0\. Linear maps of this model are"):
        made(tiny_model, "lora", targets="(")


def test_layers_that_share_their_weights_learn_all_or_not_at_all(tiny_of: Callable[..., Path]) -> None:
    folder = tiny_of("Albert", embedding_size=8)
    model, learns = made(folder, "full")
    assert len(learns) == len(list(model.body.parameters())) and set(depths(model.body, list(learns))) == {0}
    assert all("lora" in name for name in made(folder, "lora", targets="all-linear")[1])
    for tuning, said in (("top:1", {}), ("lora", {"layers": 1}), ("adapter", {}), ("prefix", {})):
        with pytest.raises(ConfigError, match="does not say which its layers are; choose frozen, full, or lora without layers"):
            made(folder, tuning, **said)


def tiny(family: str) -> Any:
    """A body of three layers (GPT-Neo: two), drawn at random."""
    import transformers as t

    plain = {"vocab_size": 64, "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 32}
    ends = {"bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0}
    deberta = {"relative_attention": True, "position_buckets": 8, "pos_att_type": ["p2c", "c2p"]}
    made = {
        "GPT2": lambda: t.GPT2Model(t.GPT2Config(vocab_size=64, n_positions=40, n_embd=16, n_layer=3, n_head=2)),
        "OPT": lambda: t.OPTModel(t.OPTConfig(vocab_size=64, hidden_size=16, num_hidden_layers=3, num_attention_heads=2, ffn_dim=32, **ends)),
        "MPNet": lambda: t.MPNetModel(t.MPNetConfig(**plain)),
        "DebertaV2": lambda: t.DebertaV2Model(t.DebertaV2Config(**plain, **deberta)),
        "Electra": lambda: t.ElectraModel(t.ElectraConfig(**plain, embedding_size=8)),
        "ModernBert": lambda: t.ModernBertModel(t.ModernBertConfig(**plain, pad_token_id=0)),
        "Phi": lambda: t.PhiModel(t.PhiConfig(**plain)),
        "Bloom": lambda: t.BloomModel(t.BloomConfig(vocab_size=64, hidden_size=16, n_layer=3, n_head=2)),
        "Bert": lambda: t.BertModel(t.BertConfig(**plain)),
        "Llama": lambda: t.LlamaModel(t.LlamaConfig(**plain)),
    }
    return made[family]()


@pytest.mark.parametrize(
    ("family", "below", "last", "norms"),
    [
        ("GPT2", ["wte.weight", "wpe.weight"], ["ln_f.weight"], 1),
        ("OPT", ["decoder.embed_positions.weight"], ["decoder.final_layer_norm.bias"], 1),
        ("MPNet", ["embeddings.LayerNorm.weight", "encoder.relative_attention_bias.weight"], ["pooler.dense.weight"], 0),
        ("DebertaV2", ["embeddings.word_embeddings.weight", "encoder.rel_embeddings.weight"], [], 0),
        ("Electra", ["embeddings_project.weight", "embeddings.position_embeddings.weight"], [], 0),
        ("ModernBert", ["embeddings.tok_embeddings.weight"], ["final_norm.weight"], 1),
        ("Phi", ["embed_tokens.weight"], ["final_layernorm.weight"], 1),
        ("Bloom", ["word_embeddings_layernorm.weight"], ["ln_f.weight"], 1),
        ("Bert", ["embeddings.token_type_embeddings.weight"], ["pooler.dense.bias"], 0),
        ("Llama", ["embed_tokens.weight"], ["norm.weight"], 1),
    ],
)
def test_depths_follow_the_way_through_the_model(family: str, below: list[str], last: list[str], norms: int) -> None:
    """What is read before all layers learns as the lowest, whatever it is called; what comes behind them as the top; the norm there is found."""
    body = tiny(family)
    layers = layers_of(body)
    assert depths(body, below) == [0] * len(below)
    assert depths(body, last) == [len(layers)] * len(last)
    assert len(behind(body)) == norms
    for place, layer in enumerate(layers, 1):
        inside = {id(parameter) for parameter in layer.parameters()}
        assert set(depths(body, [name for name, parameter in body.named_parameters() if id(parameter) in inside])) == {place}


@pytest.mark.parametrize(
    ("family", "maps"),
    [
        ("MPNet", {"q", "v"}),
        ("ModernBert", {"Wqkv"}),
        ("DistilBert", {"q_lin", "v_lin"}),
        ("Bert", {"query", "value"}),
        ("Mixtral", {"q_proj", "v_proj"}),
    ],
)
def test_lora_stands_beside_query_and_value_whatever_a_family_calls_them(
    tiny_of: Callable[..., Path], family: str, maps: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    more = {
        "DistilBert": {"dim": 16, "n_layers": 3, "n_heads": 2, "hidden_dim": 32},
        "ModernBert": {"pad_token_id": 0},
        "Mixtral": {"num_key_value_heads": 1, "num_local_experts": 2, "num_experts_per_tok": 1},
    }
    said = more.get(family, {})
    folder = tiny_of(family, **said)
    learns = adapt(LanguageModel(folder, "mean", 16), Adaptation("lora"))
    assert {name.rpartition(".lora_")[0].rpartition(".")[2] for name in learns} == maps
    if family == "MPNet":
        monkeypatch.setattr(adaptation, "QUERY_AND_VALUE", ())
        with pytest.raises(ConfigError, match=r"which maps of this model are query and value; say targets, of .*dense.*all-linear"):
            adapt(LanguageModel(folder, "mean", 16), Adaptation("lora"))


@pytest.mark.parametrize("tuning", ["lora", "adapter", "prefix"])
def test_what_is_put_in_moves_no_other_chance(tiny_bert: Path, tuning: str) -> None:
    torch.manual_seed(4)
    before = torch.random.get_rng_state()
    adapt(LanguageModel(tiny_bert, "mean", 16), Adaptation(tuning))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_maps_that_cannot_be_had_are_told_of_the_model_as_it_was(tiny_bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import peft

    def refuse(config: Any, body: Any) -> None:
        body.encoder.layer[0].extra = torch.nn.Linear(1, 1)
        raise ValueError("not that one")

    monkeypatch.setattr(peft, "inject_adapter_in_model", refuse)
    with pytest.raises(ConfigError, match=r"targets = 'all-linear': not that one\. Linear maps of this model are dense, key, query, value\.$"):
        adapt(LanguageModel(tiny_bert, "mean", 16), Adaptation("lora", targets="all-linear"))
