"""The contract of an encoder: texts go in, one vector each comes out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from ..component import Component
from .learning import LearningTexts

__all__ = ["Encoder"]


class Encoder(Component, ABC):
    """Turn texts into vectors: the same text always gives the same vector, so vectors can be cached by content.

    One that ``learns`` hands out ``LearningTexts`` for a training and takes what was learned as its ``state``; then it is as fixed as any other.
    """

    @property
    @abstractmethod
    def width(self) -> int:
        """Length of a vector; 0 for ``NoText``."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """What the vectors depend on besides the text (class, options, hash of the weights): the cache's key."""

    @property
    def in_parallel(self) -> bool:
        """Whether several threads may encode at once; a tokenizer, for one, belongs to one at a time."""
        return False

    @property
    def is_remote(self) -> bool:
        """Whether texts are sent to another machine, where each may have to be paid for."""
        return False

    @property
    def request(self) -> int | None:
        """How many texts it sends away at once: what came back for them is kept before more are sent. None: nothing is sent."""
        return None

    def take_width(self, width: int) -> None:
        """The length of the vectors that a saved run holds of it, for those that would have to ask."""

    def check_room(self, texts: Sequence[str]) -> None:
        """Refuse to encode so many texts, before the first of them is."""

    @property
    def learns(self) -> bool:
        """Whether training may change it."""
        return False

    def on(self, device: str) -> None:
        """Work vectors out there from now on, ``auto`` or a device by torch's name, where a network does so; they are on the CPU all the same."""

    def learning(self, texts: Sequence[str]) -> LearningTexts | None:
        """These texts, the catalogue's, for a model that learns through them. None: nothing learns."""
        return None

    def anew(self) -> Encoder:
        """The same as before any training."""
        return self

    def untuned(self) -> Encoder:
        """The same for those that do not learn through texts."""
        return self

    def state(self) -> dict[str, Tensor]:
        """What training changed, by name."""
        return {}

    def load_state(self, state: dict[str, Tensor], tokenizer: Path | None = None) -> None:
        """Take back what ``state`` gave; ``tokenizer``: the folder that ``save_tokenizer`` wrote."""

    def save_tokenizer(self, folder: Path) -> None:
        """Write how texts are cut into tokens, where it does so."""

    @property
    def parameters(self) -> tuple[int, int]:
        """How many numbers it is made of, and how many of them training changed."""
        return 0, 0

    @property
    def for_words(self) -> Encoder:
        """The encoder of what users type: the same, but for models that are told which of the two a text is. Both give one space."""
        return self

    def is_word(self, word: str) -> bool:
        """Whether it knows this word, in small letters, as a whole: then it is no slip of the pen."""
        return False

    @abstractmethod
    def encode(self, texts: Sequence[str]) -> Tensor:
        """[len(texts), width] float32 on the CPU. An empty text gives the zero vector."""
