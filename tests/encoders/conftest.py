from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A decoder with random weights: words in, no marks around them, a tokenizer that pads on the left and knows no padding token."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("tiny-llama")
    words = ["<unk>", "<end>", *("a", "quiet", "film", "about", "rain", "and", "the", "war", "in", "space", "one", "two", "three", "x", "new", "100")]
    tokenizer = Tokenizer(models.WordLevel({word: code for code, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    marks = {"unk_token": "<unk>", "eos_token": "<end>"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, padding_side="left", model_max_length=40, **marks).save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    LlamaForCausalLM(LlamaConfig(vocab_size=len(words), max_position_embeddings=40, **sizes)).save_pretrained(folder)
    return folder


@pytest.fixture
def tiny_of(tiny_bert: Path, tmp_path: Path) -> Callable[..., Path]:
    """Makes a language model of another family, ``tiny_of("DebertaV2", …)``, with random weights and three layers."""
    import transformers

    def made(family: str, **said: Any) -> Path:
        transformers.AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(tmp_path / family)
        sizes = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 32, "max_position_embeddings": 40}
        torch.manual_seed(0)
        config = getattr(transformers, f"{family}Config")(vocab_size=64, **sizes, **said)
        getattr(transformers, f"{family}Model")(config).save_pretrained(tmp_path / family)
        return tmp_path / family

    return made
