from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch

from germane.encoders import PretrainedText, StaticText, static
from germane.encoders.language_model import LanguageModel
from germane.errors import ConfigError
from germane.testing import EncoderContract


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GERMANE_CACHE", str(tmp_path / "cache"))


class TestStaticText(EncoderContract):
    @pytest.fixture(autouse=True)
    def _tiny(self, tiny_bert: Path) -> None:
        self.encoder = StaticText(model=str(tiny_bert))
        changes = [{"tokens": "input"}, {"width": 8}, {"frequent": "alike"}, {"max_tokens": 4}]
        self.others = [StaticText(model=str(tiny_bert), **change) for change in changes]


def test_a_token_is_what_the_model_makes_of_it_alone(tiny_bert: Path) -> None:
    """With all axes kept and all tokens alike, a word's vector is the model's own, seen from the middle of the vocabulary."""
    words = ["rain", "war", "space", "quiet", "film"]
    vectors = StaticText(model=str(tiny_bert), width=16, frequent="alike").encode(words)
    model = LanguageModel(tiny_bert, "mean", 8)
    every = [word for word in model.tokenizer.get_vocab() if word not in model.tokenizer.all_special_tokens]
    whole = model(model.alone(torch.tensor(model.tokenizer.convert_tokens_to_ids(every))))
    torch.testing.assert_close(whole[every.index("rain")], PretrainedText(model=str(tiny_bert)).encode(["rain"])[0], atol=1e-5, rtol=0)
    centred = torch.nn.functional.normalize(whole - whole.mean(0), dim=1)[[every.index(word) for word in words]]
    torch.testing.assert_close(vectors @ vectors.T, centred @ centred.T, atol=1e-4, rtol=0)


@pytest.mark.parametrize("tokens", ["output", "input"])
def test_order_does_not_count_and_frequent_tokens_count_less(tiny_bert: Path, tokens: str) -> None:
    encoder = StaticText(model=str(tiny_bert), tokens=tokens)
    one, other = encoder.encode(["rain in space", "space in rain"])
    torch.testing.assert_close(one, other)
    table, vocabulary = encoder._table, encoder._model.language_model.tokenizer.get_vocab()
    alike = StaticText(model=str(tiny_bert), tokens=tokens, frequent="alike")._table
    weights = table.norm(dim=1) / alike.norm(dim=1)
    assert weights[vocabulary["a"]] < weights[vocabulary["rain"]] < weights[vocabulary["!"]]
    assert not table[vocabulary["[CLS]"]].any()


def test_long_texts_are_cut(tiny_bert: Path) -> None:
    encoder = StaticText(model=str(tiny_bert), max_tokens=2)
    a, b, c = encoder.encode(["rain space", "rain space war", "rain"])
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_the_tokens_are_read_once(tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    first = StaticText(model=str(tiny_bert)).encode(["rain"])
    files = list((tmp_path / "cache" / "tokens").glob("*"))
    assert [file.suffix for file in files] == [".safetensors"]
    with monkeypatch.context() as patched:
        patched.setattr(LanguageModel, "alone", lambda *given: pytest.fail("they are kept"))
        assert torch.equal(StaticText(model=str(tiny_bert), width=16).encode(["rain"]), first)
    files[0].write_bytes(b"short")
    with caplog.at_level(logging.WARNING, logger=static.__name__):
        assert torch.equal(StaticText(model=str(tiny_bert)).encode(["rain"]), first)
    assert "damaged" in caplog.text


def test_a_decoder_has_tokens_too(tiny_llama: Path) -> None:
    vectors = StaticText(model=str(tiny_llama)).encode(["rain in space", "zebra", ""])
    torch.testing.assert_close(vectors.norm(dim=1), torch.tensor([1.0, 0.0, 0.0]))  # a word that it does not know is none


@pytest.mark.parametrize("options", [{"tokens": "both"}, {"width": 0}, {"frequent": "sif"}, {"model": "use-multilingual-v3"}])
def test_bad_options(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"Text"):
        StaticText(**options)
