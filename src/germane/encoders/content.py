"""Item vectors by id: what models see of the items' texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from .learning import LearningTexts
from .words import frequent_words, room_of

__all__ = ["ItemContent", "Vocabulary"]

FEWEST, MOST = 3, 2048
"""Texts that hold a word of the vocabulary, and words of it: each is encoded once."""


@dataclass(frozen=True)
class Vocabulary:
    """The frequent words of the items' texts, with the vector that the encoder gives to each by itself, as to what is typed."""

    words: tuple[str, ...]
    vectors: Tensor
    """[words, text width]"""

    @classmethod
    def of(cls, texts: Sequence[str], encode: Callable[[Sequence[str]], Tensor]) -> Vocabulary:
        words = cls.chosen(texts)
        return cls(tuple(words), encode(words))

    @staticmethod
    def chosen(texts: Sequence[str]) -> list[str]:
        return frequent_words(texts, MOST, FEWEST)


@dataclass(frozen=True)
class ItemContent:
    """Vectors of the items' texts and codes of their side features, by item code. A model does not know how they came about."""

    text: Tensor
    """[items, text width] vectors of the items' prompts as the encoder gave them; width 0 without text."""
    side_codes: Tensor
    """[items, C] rows of one embedding table; 0 = missing."""
    side_dense: Tensor
    """[items, width] standardised numbers with their presence flags."""
    known: Tensor
    """[items] bool: the item has training events. Others are never negatives."""
    n_side_codes: int = 1
    """Rows of the side features' embedding table, row 0 (missing) included."""
    single: Tensor | None = None
    """[items, S] ``text_words``. Of a run that is read they are zero: what its model makes of them is among its weights."""
    vocabulary: Vocabulary | None = None
    """Frequent words of the texts, for a training that reads typed words."""
    learning: LearningTexts | None = None
    """The texts themselves, where their language model learns in the training that comes; ``text`` is as it was before."""

    @property
    def n_items(self) -> int:
        return self.text.shape[0]

    @property
    def width(self) -> int:
        return self.text.shape[1]

    def vectors(self, items: Tensor) -> Tensor:
        """[..., text width]"""
        return self.text[items]

    def __getitem__(self, rows: slice) -> ItemContent:
        """Some of the items."""
        single = None if self.single is None else self.single[rows]
        return ItemContent(self.text[rows], self.side_codes[rows], self.side_dense[rows], self.known[rows], self.n_side_codes, single)

    def extended(self, more: ItemContent) -> ItemContent:
        """The same items with new ones behind them, unknown to training."""
        if not more.n_items:
            return self
        pairs = ((self.text, more.text), (self.side_codes, more.side_codes), (self.side_dense, more.side_dense), (self.known, more.known))
        text, side_codes, side_dense, known = (torch.cat(pair) for pair in pairs)
        single = None if self.single is None or more.single is None else _longer(self.single, more.single)
        return ItemContent(text, side_codes, side_dense, known, self.n_side_codes, single)

    def rewritten(self, items: Tensor, rows: ItemContent) -> ItemContent:
        """The same items, of which ``items`` [m] say now what ``rows`` [m] say; training knows them as little as before."""
        if not len(items):
            return self
        pairs = ((self.text, rows.text), (self.side_codes, rows.side_codes), (self.side_dense, rows.side_dense))
        text, side_codes, side_dense = (old.index_copy(0, items, new) for old, new in pairs)
        single = None
        if self.single is not None and rows.single is not None:
            longer = _longer(self.single, rows.single)  # [items + m, S]
            single = longer[: self.n_items].index_copy(0, items, longer[self.n_items :])
        return ItemContent(text, side_codes, side_dense, self.known, self.n_side_codes, single)


def _longer(single: Tensor, more: Tensor) -> Tensor:
    """``more`` behind ``single``, as wide as the longest text, where there is room for so many words of all: one long text is no reason for more."""
    width = max(single.shape[1], min(more.shape[1], room_of(len(single) + len(more))))
    return torch.cat([functional.pad(part, (0, width - part.shape[1])) for part in (single, more)])  # less than nothing takes away
