from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from germane.encoders import gguf_weights
from germane.encoders.gguf_weights import converted
from germane.encoders.language_model import LanguageModel
from germane.errors import FetchError

gguf = pytest.importorskip("gguf")
WIDTH, INNER, TOKENS = 8, 16, ["<|endoftext|>", "r", "a", "i", "n", "Ġ", "ra", "in", "rain"]


@pytest.fixture
def packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A decoder of one layer with random weights, as gguf."""
    monkeypatch.setenv("GERMANE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    file, rng = tmp_path / "tiny.gguf", np.random.default_rng(0)
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_context_length(32)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_rope_dimension_count(WIDTH // 2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(TOKENS))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(TOKENS)
    writer.add_token_types([3, *[1] * (len(TOKENS) - 1)])
    writer.add_token_merges(["r a", "i n", "ra in"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    square, shapes = (WIDTH, WIDTH), {}
    shapes |= {f"blk.0.attn_{name}.weight": square for name in ("q", "k", "v", "output")}
    shapes |= {"blk.0.ffn_gate.weight": (INNER, WIDTH), "blk.0.ffn_up.weight": (INNER, WIDTH), "blk.0.ffn_down.weight": (WIDTH, INNER)}
    for name, shape in {"token_embd.weight": (len(TOKENS), WIDTH), **shapes}.items():
        writer.add_tensor(name, rng.normal(size=shape).astype(np.float32))
    for name in ("output_norm.weight", "blk.0.attn_norm.weight", "blk.0.ffn_norm.weight"):
        writer.add_tensor(name, np.ones(WIDTH, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def test_it_is_unpacked_once_and_loads_as_any_other(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from safetensors.torch import load_file

    folder = converted(packed, "tiny")
    assert folder.parent.name == "weights" and "quantization_config" not in json.loads((folder / "config.json").read_text())
    reader = gguf.GGUFReader(packed)
    table = next(tensor.data for tensor in reader.tensors if tensor.name == "token_embd.weight")
    np.testing.assert_array_equal(load_file(folder / "model.safetensors")["model.embed_tokens.weight"].numpy(), table)
    model = LanguageModel(folder, "last", 16)
    assert torch.isfinite(model(model.tokens(["rain", "a rain in"]))).all()
    monkeypatch.setattr(gguf_weights, "_unpack", lambda *given: pytest.fail("it is there already"))
    assert converted(packed, "tiny") == folder


def test_what_was_damaged_since_is_refused(packed: Path) -> None:
    folder = converted(packed, "tiny")
    (folder / "model.safetensors").write_bytes(b"short")
    with pytest.raises(FetchError, match=r"weights of tiny in .* are damaged. Delete that folder"):
        converted(packed, "tiny")
    (folder / "unpacked.json").unlink()
    with pytest.raises(FetchError, match="damaged"):
        converted(packed, "tiny")
