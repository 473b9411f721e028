"""The contract of an encoder: texts go in, one vector each comes out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor

from ..component import Component

__all__ = ["Encoder"]


class Encoder(Component, ABC):
    """Turn texts into vectors. Frozen here: the same text always gives the same vector, so vectors can be cached by content."""

    @property
    @abstractmethod
    def width(self) -> int:
        """Length of a vector; 0 for ``NoText``."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """What the vectors depend on besides the text (class, options, hash of the weights): the cache's key."""

    @abstractmethod
    def encode(self, texts: Sequence[str]) -> Tensor:
        """[len(texts), width] float32 on the CPU. An empty text gives the zero vector."""
