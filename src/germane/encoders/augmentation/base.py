"""The contract of what says texts otherwise."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from ...component import Component

__all__ = ["Augmenter"]


class Augmenter(Component, ABC):
    """Texts in, as many texts out, each said a little otherwise; a text without words stays as it is.

    What is drawn comes from the generator that it is given, so the same seed says the same. It reads texts only, never ids.
    """

    def missing(self) -> str | None:
        """Why it cannot work here, as one sentence, such as a program that is not installed."""
        return None

    def __call__(self, texts: Sequence[str], rng: np.random.Generator) -> list[str]:
        out = list(texts)
        places = [place for place, text in enumerate(out) if text.strip()]
        for place, said in zip(places, self.vary([out[place] for place in places], rng), strict=True):
            out[place] = said
        return out

    @abstractmethod
    def vary(self, texts: list[str], rng: np.random.Generator) -> list[str]:
        """The same of texts that all have words."""
