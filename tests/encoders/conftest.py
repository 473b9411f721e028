from __future__ import annotations

from pathlib import Path

import pytest
import torch

WORDS = [
    "a",
    "quiet",
    "film",
    "about",
    "rain",
    "and",
    "the",
    "war",
    "in",
    "space",
    "one",
    "two",
    "three",
    "x",
    "y",
    "z",
    "##x",
    "##ing",
    "new",
    "100",
    "%",
    "(",
    ")",
    "!",
]


def save_tiny_bert(folder: Path, seed: int = 0) -> Path:
    """A language model of 16 numbers a token, with random weights and a tokenizer made on the spot."""
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    tokenizer = BertTokenizerFast(vocab={word: code for code, word in enumerate(vocabulary)}, model_max_length=40)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, max_position_embeddings=40
    )
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_bert(tmp_path_factory.mktemp("tiny-bert"))
