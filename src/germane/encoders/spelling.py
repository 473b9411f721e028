"""Typed words that nobody knows, read as the known word next to them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from .words import plain

__all__ = ["Spelling", "words_in"]

_WORD = re.compile(r"(?<!\w)[^\W\d_]{4,}(?!\w)")
"""Four letters or more: shorter words have too many neighbours, and numbers are no words."""
LONGEST = 40
"""Letters of a word that is still looked up: the work grows with their square, and longer ones are no slips of any word."""
MOST = 64
"""Different words of one text that are looked up; what stands behind them stays as typed."""
ALPHABET = 100
"""Letters, the most frequent ones, that may be put into a word."""


class Spelling:
    """The words of the catalogue and of what was typed in training, each with how often it was met.

    A word that is none of them, and that the encoder does not know as a whole either, becomes the most frequent of those one slip away: a letter
    left out, one too many, another one in its place, or two exchanged. Texts meet then that mean the same, and models that know typed words by heart
    know them again. Cost: some 500 look-ups for each unknown word, whatever the number of words; of a text the first ``MOST`` are looked up, and none
    that is longer than ``LONGEST``.

    >>> Spelling({"ambient": 3, "metal": 9, "petal": 1})("AMBIENT metla, brass 1999")
    'AMBIENT metal, brass 1999'

    Source: Norvig, How to write a spelling corrector, 2007, with distance 1 alone.
    """

    def __init__(self, counts: Mapping[str, int], is_word: Callable[[str], bool] = lambda word: False) -> None:
        """``counts`` by word, casefolded; ``is_word``: what else is no slip."""
        self.counts, self.is_word = dict(counts), is_word
        self._letters = Counter(letter for word in self.counts for letter in word)

    def learn(self, texts: Iterable[str]) -> None:
        """Words of texts that came later are known from now on. Others may read meanwhile, so letters are counted beside and exchanged."""
        letters = Counter(self._letters)
        for word, count in words_in(texts).items():
            self.counts[word] = self.counts.get(word, 0) + count
            letters.update(word)
        self._letters = letters

    def __call__(self, text: str) -> str:
        """``text`` with its slips mended; case and all that is no word stay."""
        read: dict[str, str] = {}

        def nearest(found: re.Match[str]) -> str:
            word = found[0]
            if word not in read:
                if len(word) > LONGEST or len(read) == MOST:
                    return word
                read[word] = self._nearest(word)
            return read[word]

        return _WORD.sub(nearest, text)

    def _nearest(self, word: str) -> str:
        said = plain(word)
        if said in self.counts or len(said) > LONGEST or self.is_word(said):
            return word
        near = [other for other in self._slips(said) if other in self.counts]
        return max(near, key=lambda other: (self.counts[other], other)) if near else word

    def _slips(self, word: str) -> Iterator[str]:
        letters = [letter for letter, _ in self._letters.most_common(ALPHABET)]
        cut = [(word[:at], word[at:]) for at in range(len(word) + 1)]
        yield from (head + tail[1:] for head, tail in cut if tail)
        yield from (head + tail[1] + tail[0] + tail[2:] for head, tail in cut if len(tail) > 1)
        yield from (head + letter + tail[1:] for head, tail in cut if tail for letter in letters)
        yield from (head + letter + tail for head, tail in cut for letter in letters)


def words_in(texts: Iterable[str]) -> Counter[str]:
    """In how many of the texts each word is."""
    return Counter(word for text in texts for word in {plain(found) for found in _WORD.findall(text)})
