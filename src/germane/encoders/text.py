"""Vectors from a pretrained language model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from ..component import Options
from ..errors import ConfigError
from .base import Encoder
from .language_model import ONE_AT_A_TIME, LanguageModel, Pooling
from .weights import get_weights, known_weights, weights_hash

__all__ = ["PretrainedText", "PretrainedTextOptions"]


class PretrainedTextOptions(Options):
    model: str = Field(default="all-MiniLM-L6-v2", min_length=1)
    """A name of ``germane weights list``, a folder with a model that transformers loads, or a name on the hub."""
    pooling: Pooling = "mean"
    """A text's vector is the mean over its tokens, or the first token's."""
    max_tokens: int = Field(default=64, ge=3, le=8192)
    """Longer texts are cut; time grows with it."""
    batch: int = Field(default=64, ge=1)
    """Texts that go through the model together."""
    tuning: Literal["frozen"] = "frozen"
    """What training may change of the language model."""


class PretrainedText(Encoder):
    """Vectors of unit length from a language model: texts that mean the same meet, whatever their words.

    Reads a few hundred short texts a second on two cores, so wrap it in a ``VectorCache`` for a catalogue. Prefer ``HashedText``
    where spelling is all that counts or nothing may be downloaded. The model is loaded at the first ``encode`` and not before.

    >>> PretrainedText().width
    384

    Source: Reimers and Gurevych, Sentence-BERT, 2019.
    """

    options: PretrainedTextOptions

    @cached_property
    def _folder(self) -> Path:
        given = Path(self.options.model).expanduser()
        if known_weights(self.options.model):
            return get_weights(self.options.model)
        if given.is_dir():
            if not (given / "config.json").is_file():
                raise ConfigError(f"The folder {given} holds no language model: there is no config.json in it.")
            if not any(given.glob("*.safetensors")):
                raise ConfigError(f"The folder {given} has no safetensors file; Germane reads no pickles. Save the model with save_pretrained.")
            return given
        if given.is_absolute() or self.options.model.startswith((".", "~")) or self.options.model.count("/") > 1 or "\\" in self.options.model:
            raise ConfigError(f"There is no folder {given}; model is a name of `germane weights list`, a folder, or a hub name such as owner/model.")
        return get_weights(self.options.model)

    @cached_property
    def width(self) -> int:
        if known := known_weights(self.options.model):
            return known.width
        file = self._folder / "config.json"
        try:
            about = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ConfigError(f"{file} is not JSON ({error}): the language model cannot be loaded.") from None
        about = about.get("text_config", about)
        for name in ("hidden_size", "d_model", "n_embd", "dim"):
            if name in about:
                return int(about[name])
        raise ConfigError(f"The config.json in {self._folder} states no hidden_size, so the width of its vectors is unknown.")

    @cached_property
    def identity(self) -> str:
        if known := known_weights(self.options.model):
            files = known.sha256
        else:
            read = sorted(path for path in self._folder.iterdir() if path.suffix in {".json", ".txt", ".model", ".safetensors"})
            files = " ".join(f"{path.name}:{weights_hash(path)}" for path in read)
        return f"PretrainedText pooling={self.options.pooling} max_tokens={self.options.max_tokens} tuning={self.options.tuning} files={files}"

    def encode(self, texts: Sequence[str]) -> Tensor:
        vectors = torch.zeros(len(texts), self.width)
        rows = sorted((row for row, text in enumerate(texts) if text.strip()), key=lambda row: len(texts[row]))  # little padding
        with ONE_AT_A_TIME, torch.inference_mode():
            for start in range(0, len(rows), self.options.batch):
                batch = rows[start : start + self.options.batch]
                vectors[batch] = self._model(self._model.tokens([texts[row] for row in batch])).cpu()
        return vectors

    @cached_property
    def _model(self) -> LanguageModel:
        model = LanguageModel(self._folder, self.options.pooling, self.options.max_tokens)
        return model.to("cuda" if torch.cuda.is_available() else "cpu")
