"""Typing errors."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from ...component import Options
from .base import Augmenter

__all__ = ["Typos", "TyposOptions", "mistyped"]


class TyposOptions(Options):
    share: float = Field(default=0.1, gt=0, le=1)
    """Of the words of four letters or more."""


class Typos(Augmenter):
    """One typing error in some words: where queries are typed in haste. It changes the tokens that a language model reads more than their meaning.

    >>> Typos(share=1.0)(["something very short"], np.random.default_rng(0))
    ['somehing eery shprt']
    """

    options: TyposOptions

    def vary(self, texts: list[str], rng: np.random.Generator) -> list[str]:
        share = self.options.share
        return [" ".join(mistyped(word, rng) if rng.random() < share else word for word in text.split(" ")) for text in texts]


def mistyped(text: str, rng: np.random.Generator) -> str:
    """One error in each word of four letters or more: two letters exchanged, one left out, one doubled, or another one in its place.

    >>> mistyped("something very short", np.random.default_rng(0))
    'somethiing evry hsort'
    """
    return " ".join(_slip(word, rng) if len(word) >= 4 else word for word in text.split(" "))


def _slip(word: str, rng: np.random.Generator) -> str:
    at = int(rng.integers(0, len(word) - 1))
    before, letter, after, rest = word[:at], word[at], word[at + 1], word[at + 2 :]
    other = "abcdefghijklmnopqrstuvwxyz"[int(rng.integers(0, 26))]
    slips = (after + letter, after, letter + letter + after, other + after)
    return before + slips[int(rng.integers(0, len(slips)))] + rest
