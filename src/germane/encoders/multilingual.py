"""Vectors that meet across sixteen languages, from n-grams of tokens instead of a transformer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from ..component import Options
from ..errors import ConfigError
from .base import Encoder
from .language_model import ONE_AT_A_TIME
from .sentence_network import SentenceNetwork
from .sentence_pieces import sentence_pieces
from .weights import get_weights, known_weights, list_weights

__all__ = ["MultilingualText", "MultilingualTextOptions"]

_BEGIN, _END = 1, 2


class MultilingualTextOptions(Options):
    model: str = Field(default="use-multilingual-v3", min_length=1)
    """A name of ``germane weights list`` that this encoder reads."""
    max_tokens: int = Field(default=128, ge=3, le=8192)
    """Longer texts are cut."""
    batch: int = Field(default=32, ge=1)
    """Texts that go through the network together."""


class MultilingualText(Encoder):
    """Google's Universal Sentence Encoder for many languages: a text and its translation meet. Frozen, of unit length.

    Prefer it where texts or words come in several of Arabic, Chinese, Dutch, English, French, German, Italian, Japanese, Korean, Polish, Portuguese,
    Russian, Spanish, Thai and Turkish, or where ``PretrainedText`` is too slow: it reads several times as many texts a second. That one knows English
    better and can be tuned. The weights are fetched at the first ``encode``.

    >>> MultilingualText().width
    512

    Source: Yang et al., Multilingual Universal Sentence Encoder for Semantic Retrieval, 2020.
    """

    options: MultilingualTextOptions

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        known = known_weights(self.options.model)
        if known is None or known.use != type(self).__name__:
            names = ", ".join(weights.name for weights in list_weights() if weights.use == type(self).__name__)
            raise ConfigError(f"MultilingualText option model = {self.options.model!r}: it reads {names}; others are for PretrainedText.")
        self._known = known

    @property
    def width(self) -> int:
        return self._known.width

    @property
    def identity(self) -> str:
        return f"MultilingualText max_tokens={self.options.max_tokens} files={self._known.sha256}"

    def encode(self, texts: Sequence[str]) -> Tensor:
        vectors = torch.zeros(len(texts), self.width)
        rows = sorted((row for row, text in enumerate(texts) if text.strip()), key=lambda row: len(texts[row]))
        with ONE_AT_A_TIME, torch.inference_mode():
            for start in range(0, len(rows), self.options.batch):
                batch = rows[start : start + self.options.batch]
                vectors[batch] = self._network(self._codes([texts[row] for row in batch]))
        return vectors

    def is_word(self, word: str) -> bool:
        with ONE_AT_A_TIME:
            pieces = self._pieces.encode(word, add_special_tokens=False).ids
        return len(pieces) == 1 and pieces[0] != 0  # piece 0 is the unknown one

    def _codes(self, texts: Sequence[str]) -> list[list[int]]:
        most = self.options.max_tokens - 2
        return [[_BEGIN, *read.ids[:most], _END] for read in self._pieces.encode_batch(list(texts), add_special_tokens=False)]

    @cached_property
    def _folder(self) -> Path:
        return get_weights(self.options.model)

    @cached_property
    def _pieces(self) -> Any:
        return sentence_pieces(self._folder / "sp.model")

    @cached_property
    def _network(self) -> SentenceNetwork:
        return SentenceNetwork.load(self._folder / self._known.file)
