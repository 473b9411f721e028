"""No text at all: for catalogues without words, or to see what the text is worth."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .base import Encoder

__all__ = ["NoText"]


class NoText(Encoder):
    """Vectors of width 0. Prefer ``HashedText`` where items have names, ``PretrainedText`` where their meaning matters.

    >>> NoText().encode(["a", "b"]).shape
    torch.Size([2, 0])
    """

    @property
    def width(self) -> int:
        return 0

    @property
    def identity(self) -> str:
        return "NoText"

    def encode(self, texts: Sequence[str]) -> Tensor:
        return torch.zeros(len(texts), 0)
