"""Vectors without a pass through a transformer: one vector a token, looked up and averaged."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from ..component import Options
from ..data.fetch import cache_folder
from .base import Encoder
from .language_model import ONE_AT_A_TIME
from .text import PretrainedText

__all__ = ["StaticText", "StaticTextOptions"]

_log = logging.getLogger(__name__)
_BLOCK = 4096  # texts at a time


class StaticTextOptions(Options):
    model: str = Field(default="all-MiniLM-L6-v2", min_length=1)
    """The language model whose tokens are taken, as ``PretrainedText`` names it."""
    tokens: Literal["output", "input"] = "output"
    """A token's vector is what the model makes of it alone (each is read once, in about a minute, and kept), or its row of the input table."""
    width: int = Field(default=256, ge=1, le=8192)
    """Principal axes of the tokens that are kept; at most the model's width."""
    frequent: Literal["zipf", "alike"] = "zipf"
    """Frequent tokens count less, by their place in the vocabulary, which is in order of frequency; or all count alike."""
    max_tokens: int = Field(default=512, ge=1, le=8192)
    """Longer texts are cut."""


class StaticText(Encoder):
    """A language model's tokens, each with a vector of its own, averaged with frequent ones weighing less; of unit length.

    Reads tens of thousands of texts a second and knows some of what words mean, but neither their order nor their context. Prefer it
    to ``HashedText`` where other words should meet that mean the same, and ``PretrainedText`` where a second per few hundred texts is at hand.

    >>> StaticText(width=64).width
    64

    Source: Tulkens and van Dongen, Model2Vec: Fast State-of-the-Art Static Embeddings, 2024; Arora et al., A Simple but Tough-to-Beat Baseline
    for Sentence Embeddings, 2017.
    """

    options: StaticTextOptions

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._model = PretrainedText(model=self.options.model, pooling="mean", max_tokens=8, batch=512, item_prefix="", words_prefix="")

    @property
    def width(self) -> int:
        return min(self.options.width, self._model.width)

    @property
    def identity(self) -> str:
        said = self.options
        return f"StaticText width={self.width} frequent={said.frequent} max_tokens={said.max_tokens} {self._tokens_identity}"

    @property
    def _tokens_identity(self) -> str:
        return f"tokens={self.options.tokens} {self._model.identity}"

    def on(self, device: str) -> None:
        self._model.on(device)

    def encode(self, texts: Sequence[str]) -> Tensor:
        blocks = [self._block([text.strip() for text in texts[start : start + _BLOCK]]) for start in range(0, len(texts), _BLOCK)]
        return torch.cat(blocks) if blocks else torch.zeros(0, self.width)

    def is_word(self, word: str) -> bool:
        return self._model.is_word(word)

    def _block(self, texts: Sequence[str]) -> Tensor:
        with ONE_AT_A_TIME:
            read = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        bags = [codes.ids[: self.options.max_tokens] for codes in read]
        flat = torch.tensor([code for bag in bags for code in bag], dtype=torch.int64)
        offsets = torch.from_numpy(np.cumsum([0, *map(len, bags)])[:-1])
        return functional.normalize(functional.embedding_bag(flat, self._table, offsets, mode="sum"))

    @cached_property
    def _tokenizer(self) -> Any:
        inner = self._model.language_model.tokenizer.backend_tokenizer
        copied = type(inner).from_str(inner.to_str())
        copied.no_padding()
        copied.no_truncation()
        return copied

    @cached_property
    def _table(self) -> Tensor:
        """[tokens, width] weighted vectors; special tokens have none."""
        vectors = self._vectors()
        special = torch.zeros(len(vectors), dtype=torch.bool)
        special[[code for code in self._model.language_model.tokenizer.all_special_ids if code < len(vectors)]] = True
        centred = (vectors - vectors[~special].mean(0)).double()
        axes = torch.linalg.eigh(centred[~special].T @ centred[~special])[1].flip(1)[:, : self.width]
        axes = axes * axes.gather(0, axes.abs().argmax(0, keepdim=True)).sign()  # one of the two directions, the same everywhere
        table = (centred @ axes).float()
        if self.options.frequent == "zipf":  # the n-th token's chance is about 1/n, and its information the logarithm of n
            table = table * torch.log1p((~special).cumsum(0).float())[:, None]
        weighted: Tensor = table * (~special)[:, None]
        return weighted

    def _vectors(self) -> Tensor:
        """[tokens, model width], from the cache where they were made before."""
        if self.options.tokens == "input":
            weight: Tensor = self._model.language_model.body.get_input_embeddings().weight
            return weight.detach().to("cpu", torch.float32)
        file = _file(self._tokens_identity)
        if file is not None and file.is_file():
            try:
                kept: Tensor = load_file(file)["vectors"]
                return kept
            except (OSError, KeyError, SafetensorError) as error:
                _log.warning("The token vectors in %s are damaged (%s); they are made again.", file, error)
        model = self._model.language_model
        vectors = torch.zeros(len(model.tokenizer), self._model.width)
        with ONE_AT_A_TIME, torch.inference_mode():
            for start in range(0, len(vectors), 512):
                codes = torch.arange(start, min(start + 512, len(vectors)))
                vectors[codes] = model(model.alone(codes)).cpu()
        if file is not None:
            try:
                _keep(vectors, file)
            except (OSError, SafetensorError) as error:
                _log.warning("The token vectors cannot be kept in %s (%s); they are made again next time.", file, error)
        return vectors


def _file(identity: str) -> Path | None:
    try:
        folder = cache_folder() / "tokens"
        folder.mkdir(exist_ok=True)
    except OSError:
        return None
    return folder / f"{hashlib.sha256(identity.encode()).hexdigest()[:32]}.safetensors"


def _keep(vectors: Tensor, file: Path) -> None:
    """Whole or not at all."""
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=".making-") as work:
        save_file({"vectors": vectors}, Path(work) / "made")
        os.replace(Path(work) / "made", file)
