"""Words left out."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from ...component import Options
from .base import Augmenter

__all__ = ["TokenDropout", "TokenDropoutOptions"]


class TokenDropoutOptions(Options):
    share: float = Field(default=0.1, gt=0, lt=1)
    """Of the words of a text."""


class TokenDropout(Augmenter):
    """Leave words out at random, one at least stays: the cheapest variation, in any language; ``Synonyms`` keeps more of the meaning.

    >>> TokenDropout(share=0.5)(["a short and funny film", ""], np.random.default_rng(2))
    ['and film', '']

    Source: Iyyer et al. 2015, Deep Unordered Composition Rivals Syntactic Methods for Text Classification (word dropout).
    """

    options: TokenDropoutOptions

    def vary(self, texts: list[str], rng: np.random.Generator) -> list[str]:
        return [self._thinned(text.split(), rng) for text in texts]

    def _thinned(self, words: list[str], rng: np.random.Generator) -> str:
        keep = rng.random(len(words)) >= self.options.share
        keep[rng.integers(len(words))] |= not keep.any()
        return " ".join(word for word, stays in zip(words, keep, strict=True) if stays)
