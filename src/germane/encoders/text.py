"""Vectors from a pretrained language model."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field
from safetensors import SafetensorError
from torch import Tensor
from torch.nn import functional

from ..component import Options
from ..errors import ConfigError
from .base import Encoder
from .weights import get_weights, known_weights, weights_hash

__all__ = ["PretrainedText", "PretrainedTextOptions"]

# A fast tokenizer must not be used by two threads at once; one language model at a time uses all cores anyway.
_ONE_AT_A_TIME = threading.RLock()


class PretrainedTextOptions(Options):
    model: str = Field(default="all-MiniLM-L6-v2", min_length=1)
    """A name of ``germane weights list``, a folder with a model that transformers loads, or a name on the hub."""
    pooling: Literal["mean", "cls"] = "mean"
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
        with _ONE_AT_A_TIME, torch.inference_mode():
            for start in range(0, len(rows), self.options.batch):
                batch = rows[start : start + self.options.batch]
                vectors[batch] = self._batch([texts[row] for row in batch])
        return vectors

    def _batch(self, texts: list[str]) -> Tensor:
        tokenizer, model, limit = self._loaded
        tokens = tokenizer(texts, padding=True, truncation=True, max_length=limit, return_tensors="pt").to(model.device)
        states = model(**tokens).last_hidden_state  # [batch, tokens, width]
        if self.options.pooling == "cls":
            pooled = states[:, 0]
        else:
            mask = tokens["attention_mask"].unsqueeze(-1).to(states.dtype)  # [batch, tokens, 1]
            pooled = (states * mask).sum(1) / mask.sum(1).clamp(min=1)
        return functional.normalize(pooled.float()).cpu()

    @cached_property
    def _loaded(self) -> tuple[Any, Any, int]:
        """Tokenizer, model, and how many tokens both take."""
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging

        folder = self._folder
        level = logging.get_verbosity()
        bar = logging.is_progress_bar_enabled()
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        try:
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            model = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True, dtype=torch.float32)
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            reason = str(error).strip().split("\n")[0]
            raise ConfigError(f"The language model in {folder} cannot be loaded: {reason}") from None
        finally:
            logging.set_verbosity(level)
            if bar:
                logging.enable_progress_bar()
        tokenizer.padding_side = "right"
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        positions = getattr(model.config, "max_position_embeddings", None) or self.options.max_tokens
        limit = min(self.options.max_tokens, tokenizer.model_max_length, positions)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        return tokenizer, model.eval().requires_grad_(False).to(device), limit
