"""What was typed, as models read it: what it means, and which words it is made of."""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["BUCKETS", "Words", "frequent_words", "plain", "room_of", "single_words", "text_words", "word_codes"]

MOST = 16
"""Words and pairs of words of one query that keep a code."""
MOST_SINGLE = 32
"""Different words that keep a bucket: of what is typed, and of each item's text at least."""
MOST_OF_TEXT, ROOM = 256, 1 << 26
"""Those of an item's text at most, and of all texts together."""
BUCKETS = (1 << 15) - 1
"""Of single words; two in the same one count as the same word."""
_PART, _WORD = re.compile(r"[^,;|/]+"), re.compile(r"\w+")


@dataclass(frozen=True)
class Words:
    """Typed texts. By ``vectors`` words meet that mean the same, by ``codes`` exactly those that were typed before, by ``single`` those that items'
    texts hold."""

    vectors: Tensor
    """[..., W] the encoder's; zero = nothing typed."""
    codes: Tensor
    """[..., K] of words and of pairs of neighbouring words, see ``word_codes``; 0 = none."""
    single: Tensor
    """[..., S] of words alone, see ``single_words``; 0 = none."""

    @classmethod
    def of(cls, texts: Sequence[str], vectors: Tensor) -> Words:
        """``vectors`` [texts, W] are the encoder's."""
        return cls(vectors, word_codes(texts), single_words(texts))

    def __len__(self) -> int:
        return len(self.vectors)

    def __getitem__(self, index: Any) -> Words:
        return Words(self.vectors[index], self.codes[index], self.single[index])

    def __add__(self, more: Words) -> Words:
        """``more`` behind these."""
        pairs = zip((self.vectors, self.codes, self.single), (more.vectors, more.codes, more.single), strict=True)
        return Words(*(torch.cat(pair) for pair in pairs))

    def to(self, device: torch.device | str) -> Words:
        return Words(self.vectors.to(device), self.codes.to(device), self.single.to(device))

    @property
    def typed(self) -> Tensor:
        """[...] bool: there are any."""
        return (self.vectors != 0).any(-1)

    @classmethod
    def none(cls, n: int, width: int) -> Words:
        """``n`` times nothing."""
        return cls(torch.zeros(n, width), torch.zeros(n, MOST, dtype=torch.int64), torch.zeros(n, MOST_SINGLE, dtype=torch.int16))


def word_codes(texts: Sequence[str]) -> Tensor:
    """[texts, 16] int64: a checksum of each word, and of each two words in a row that no comma parts; case does not count. 0 = none.

    Only the first 16 are kept. Nothing has to be fitted, and words of all languages with letters are read.

    >>> hip_hop, parted, alone = word_codes(["Hip Hop", "hip, hop", "hop"]).tolist()
    >>> sum(code > 0 for code in hip_hop), sum(code > 0 for code in parted), alone[0] in hip_hop
    (3, 2, True)
    """
    out = torch.zeros(len(texts), MOST, dtype=torch.int64)
    for row, text in enumerate(texts):
        found: dict[str, None] = {}
        for part in _PART.findall(plain(text)):
            words = _WORD.findall(part)
            found |= dict.fromkeys([*words, *(f"{one} {other}" for one, other in pairwise(words))])
        codes = [zlib.crc32(word.encode()) or 1 for word in list(found)[:MOST]]
        out[row, : len(codes)] = torch.tensor(codes, dtype=torch.int64)
    return out


def single_words(texts: Sequence[str], most: int = MOST_SINGLE) -> Tensor:
    """[texts, most] int16: a bucket, 1 to 32,767, of each different word; case does not count. 0 = none. Only the first ``most`` are kept.

    >>> one, other = single_words(["Toy Story", "a story, a TOY"]).tolist()
    >>> set(one) < set(other)
    True
    """
    out = np.zeros((len(texts), most), dtype=np.int16)
    for row, text in enumerate(texts):
        found = list(dict.fromkeys(_WORD.findall(plain(text))))[:most]
        out[row, : len(found)] = [zlib.crc32(word.encode()) % BUCKETS + 1 for word in found]
    return torch.from_numpy(out)


def text_words(texts: Sequence[str]) -> Tensor:
    """``single_words`` of a catalogue's texts, as many as the longest of them has and ``room_of`` lets it keep.

    >>> text_words(["Toy Story", "A story of toys and of one boy"]).shape
    torch.Size([2, 7])
    """
    single = single_words(texts, room_of(len(texts)))
    return single[:, : max(1, int((single > 0).sum(1).max())) if len(texts) else 1].clone()


def room_of(texts: int) -> int:
    """How many different words each of so many texts keeps: 256, and 32 where there are millions of texts.

    >>> room_of(10_000), room_of(500_000), room_of(10_000_000)
    (256, 134, 32)
    """
    return max(MOST_SINGLE, min(MOST_OF_TEXT, ROOM // max(1, texts)))


def frequent_words(texts: Sequence[str], most: int, fewest: int) -> list[str]:
    """Words without digits that ``fewest`` of the texts hold or more, the most frequent first.

    >>> frequent_words(["A Western of 1969", "western, a comedy", "Westerns", "a WESTERN"], most=10, fewest=3)
    ['a', 'western']
    """
    counts = Counter(word for text in texts for word in set(_WORD.findall(plain(text))) if not any(map(str.isdigit, word)))
    held = ((count, word) for word, count in counts.items() if count >= fewest)
    return [word for _, word in sorted(held, key=lambda one: (-one[0], one[1]))[:most]]


def plain(text: str) -> str:
    """Case and ways of writing the same letter away."""
    return unicodedata.normalize("NFKC", text).casefold()
