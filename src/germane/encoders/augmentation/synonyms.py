"""Words replaced by others that mean the same."""

from __future__ import annotations

import re
from functools import cached_property

import numpy as np
from pydantic import Field

from ...component import Options
from ...errors import ConfigError
from .base import Augmenter
from .wordnet import WordNet, folder_of_wordnet

__all__ = ["Synonyms", "SynonymsOptions"]

WORD = re.compile(r"[A-Za-z]{4,}")
"""Shorter ones are mostly articles and prepositions, which WordNet takes for something else (``in``: inch)."""


class SynonymsOptions(Options):
    share: float = Field(default=0.15, gt=0, le=1)
    """Of the words of four letters or more that have a synonym."""
    folder: str | None = None
    """Where WordNet's files lie. Absent: ``$WNSEARCHDIR``, or where Debian's package ``wordnet-base`` puts them."""


class Synonyms(Augmenter):
    """Replace words by WordNet's synonyms of their most frequent meaning, the case of the first letter kept. English, offline, microseconds a word.

    Prefer ``RoundTrip`` where whole sentences are to be said otherwise, ``TokenDropout`` for other languages. Inflected forms stay as they are.

    Source: Wei and Zou 2019, EDA: Easy Data Augmentation Techniques for Boosting Performance on Text Classification Tasks.
    """

    options: SynonymsOptions

    @cached_property
    def words(self) -> WordNet:
        folder = folder_of_wordnet(self.options.folder)
        if folder is None:
            raise ConfigError(str(self.missing()))
        return WordNet(folder)

    def missing(self) -> str | None:
        if folder_of_wordnet(self.options.folder) is not None:
            return None
        where = f"no index.noun lies in {self.options.folder}" if self.options.folder is not None else "WordNet is not on this machine"
        return f"Synonyms: {where}: install Debian's wordnet-base, or say folder = where its files lie."

    def vary(self, texts: list[str], rng: np.random.Generator) -> list[str]:
        def other(match: re.Match[str]) -> str:
            word = match[0]
            choices = self.words.synonyms(word.lower())
            if not choices or rng.random() >= self.options.share:
                return word
            chosen = choices[int(rng.integers(len(choices)))]
            return chosen[0].upper() + chosen[1:] if word[0].isupper() else chosen

        return [WORD.sub(other, text) for text in texts]
