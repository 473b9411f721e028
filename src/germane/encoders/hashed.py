"""Vectors from spelling alone: no download, no training, any language with letters."""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from ..component import Options
from .base import Encoder

__all__ = ["HashedText", "HashedTextOptions"]

_TOKEN = re.compile(r"\w+")
_BLOCK = 4096  # texts at a time: bounds the table of their tokens


class HashedTextOptions(Options):
    width: int = Field(default=256, ge=1, le=1 << 20)
    """Length of a vector: wider means fewer collisions."""
    ngrams: int = Field(default=3, ge=0, le=8)
    """Letters in a piece of a word; 0: whole words only, so that a typo makes another word."""
    seed: int = Field(default=0, ge=0, lt=1 << 32)
    """Other seeds hash to other places."""


class HashedText(Encoder):
    """Signed feature hashing of lower-cased words and of the letter triples inside them, of unit length.

    Needs no download and reads a hundred times faster than ``PretrainedText``; prefer that one when texts with the same meaning
    but other words should meet. Words with a typo share most triples, and so stay near.

    >>> film, typo, other = HashedText().encode(["romantic comedy", "romantic comdey", "space war"])
    >>> bool(film @ typo > 0.6 > 0.2 > film @ other)
    True

    Source: Weinberger et al., Feature Hashing for Large Scale Multitask Learning, 2009.
    """

    options: HashedTextOptions

    @property
    def width(self) -> int:
        return self.options.width

    @property
    def identity(self) -> str:
        return f"HashedText width={self.options.width} ngrams={self.options.ngrams} seed={self.options.seed}"

    def encode(self, texts: Sequence[str]) -> Tensor:
        blocks = [self._block(texts[start : start + _BLOCK]) for start in range(0, len(texts), _BLOCK)]
        return torch.cat(blocks) if blocks else torch.zeros(0, self.width)

    def _block(self, texts: Sequence[str]) -> Tensor:
        codes: dict[str, int] = {}
        bags = [[codes.setdefault(token, len(codes)) for token in _tokens(text)] for text in texts]
        if not codes:
            return torch.zeros(len(texts), self.width)
        table = torch.from_numpy(self._token_vectors(list(codes)))  # [tokens, width]
        offsets = np.cumsum([0, *map(len, bags)])[:-1]
        flat = torch.tensor([code for bag in bags for code in bag])
        return functional.normalize(functional.embedding_bag(flat, table, torch.from_numpy(offsets), mode="sum"))

    def _token_vectors(self, tokens: list[str]) -> NDArray[np.float32]:
        pieces = [_pieces(token, self.options.ngrams) for token in tokens]
        rows = np.repeat(np.arange(len(tokens)), [len(p) for p in pieces])
        mixed = _mix(np.concatenate(pieces), self.options.seed)
        signs = 1.0 - 2.0 * (mixed >> np.uint32(31))
        columns = (mixed & np.uint32(0x7FFFFFFF)) % np.uint32(self.width)
        cells = rows * self.width + columns.astype(np.int64)
        vectors = np.bincount(cells, weights=signs, minlength=len(tokens) * self.width)
        return vectors.reshape(len(tokens), self.width).astype(np.float32)


def _tokens(text: str) -> list[str]:
    return _TOKEN.findall(unicodedata.normalize("NFKC", text).casefold())


@lru_cache(maxsize=1 << 16)
def _pieces(token: str, ngrams: int) -> NDArray[np.uint32]:
    """Checksums of the word and of its n-grams, its ends marked."""
    spelled = f"<{token}>"
    grams = [spelled[i : i + ngrams] for i in range(len(spelled) - ngrams + 1)] if ngrams else []
    return np.array([zlib.crc32(piece.encode("utf-8", "surrogatepass")) for piece in (f"={token}", *grams)], dtype=np.uint32)


def _mix(hashes: NDArray[np.uint32], seed: int) -> NDArray[np.uint32]:
    """MurmurHash3's finaliser: a checksum is linear, so its low bits alone would collide for every seed alike."""
    h = hashes ^ np.uint32((seed * 0x9E3779B1) & 0xFFFFFFFF)
    h = (h ^ (h >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    h = (h ^ (h >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return h ^ (h >> np.uint32(16))
