from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pytest
import torch

from germane.encoders import MultilingualText, weights
from germane.encoders.weights import list_weights
from germane.errors import ConfigError
from germane.testing import EncoderContract

from .tiny_sentence_encoder import WIDTH, save_tiny_sentence_encoder


@pytest.fixture(autouse=True)
def _tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = save_tiny_sentence_encoder(tmp_path / "tiny")
    digest = hashlib.sha256((folder / "weights.npz").read_bytes()).hexdigest()
    entry = dataclasses.replace(list_weights()[-1], name="tiny", sha256=digest, width=WIDTH)
    monkeypatch.setattr(weights, "_KNOWN", (*list_weights(), entry))
    monkeypatch.setattr(weights, "fetch_package", lambda *given: folder)
    monkeypatch.setenv("GERMANE_CACHE", str(tmp_path / "cache"))


class TestMultilingualText(EncoderContract):
    @pytest.fixture(autouse=True)
    def _made(self, _tiny: None) -> None:
        self.encoder = MultilingualText(model="tiny")
        self.others = [MultilingualText(model="tiny", max_tokens=8), MultilingualText()]


def test_unit_length_blank_is_zero_and_long_texts_are_cut() -> None:
    encoder = MultilingualText(model="tiny", max_tokens=5)
    vectors = encoder.encode(["rain", " ", "rain space rain", "rain space rain new new"])
    torch.testing.assert_close(vectors.norm(dim=1), torch.tensor([1.0, 0.0, 1.0, 1.0]))
    assert torch.equal(vectors[2], vectors[3]) and not torch.equal(vectors[0], vectors[2])


def test_a_model_of_another_kind_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"model = 'all-MiniLM-L6-v2': it reads use-multilingual-v3, tiny; others are for PretrainedText"):
        MultilingualText(model="all-MiniLM-L6-v2")
