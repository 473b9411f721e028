"""The very words that were typed, beside those of the items' texts."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...encoders import BUCKETS, ItemContent, Words, single_words
from ..ragged import ragged

__all__ = ["WordMatch"]

UNTAUGHT, TAUGHT = (12.0, 4.0, 16.0), (6.0, 1.0, 1.0)
"""a, b, c before training: where events hold no typed words, so that it is all that is known of what they mean, and where it is learned from them."""
MOST_ADDED = 4096
"""Items that may come before the whole catalogue is sorted by its words again."""
NEAREST = 8
"""Words of the catalogue that what was typed is read as."""


class WordMatch(nn.Module):
    """``a cos(typed, text) + b share + c nearest``: how alike two sets of words are, how much of what was typed an item's text holds, and how many
    of the catalogue's words it holds that mean most nearly what was typed.

    By the first an item is found by its name, by the second one word finds all that hold it, however much else their texts say; there, words weigh
    as they are rare (squared idf, over the texts of the items that training knows). By the third "scary" finds horror: each of the ``NEAREST`` words
    counts as the cosine of its vector and that of all that was typed, so that no typed word is encoded by itself (query expansion by embeddings;
    Kuzi et al. 2016, doi 10.1145/2983323.2983876). Only a, b and c are trained, so that it holds for items that nobody took as for the others.

    Cost: words of the catalogue × width for each text that is typed; then the items that hold one of the words (the whole catalogue), or the words of
    as many items.
    """

    factor: nn.Parameter
    """[3] of what a, b and c are at the start: an optimiser would hardly move numbers that large."""
    start: Tensor
    """[3]"""
    rarity: Tensor
    """[1 + buckets]"""
    codes: Tensor
    """[items, S] ``text_words``; 0 = none."""
    length: Tensor
    """[items] of a text's words together; 1 where it has none."""
    words: Tensor
    """[V] codes of the catalogue's frequent words"""
    middle: Tensor
    """[width] the mean of the known items' texts, from which words are looked at."""
    vectors: Tensor
    """[V, width] of the words, unit length"""

    def __init__(self, single: Tensor, width: int, taught: bool) -> None:
        """``single`` [items, S], see ``codes``; ``width``: of the language model's vectors; ``taught``: whether events hold typed words."""
        super().__init__()
        self.factor = nn.Parameter(torch.ones(3))
        self.register_buffer("start", torch.tensor(TAUGHT if taught else UNTAUGHT))
        self.register_buffer("rarity", torch.zeros(1 + BUCKETS))
        self.register_buffer("codes", torch.zeros_like(single))
        self.register_buffer("length", torch.ones(len(single)))
        self.register_buffer("words", torch.zeros(0, dtype=torch.int16))
        self.register_buffer("middle", torch.zeros(width))
        self.register_buffer("vectors", torch.zeros(0, width))
        self.holders: tuple[Tensor, Tensor] | None = None
        """Items in the order of the words that they hold, and where each word's begin; made when first wanted."""
        self.sorted = 0
        """Items that ``holders`` counts; those added since are few, and are looked at one by one."""

    def fit(self, content: ItemContent) -> None:
        """Rarity is counted over the known items."""
        single, known = content.single, content.known
        assert single is not None
        seen = single[known] if bool(known.any()) else single
        counts = torch.bincount(seen.flatten().int(), minlength=1 + BUCKETS)
        self.rarity.copy_(((len(seen) + 1) / (counts + 1)).log().square())
        self.rarity[0] = 0
        self.codes, self.holders = single.to(self.rarity.device), None
        self.length = self._length(self.codes)
        self.middle.copy_(content.text[known].mean(0) if bool(known.any()) else content.text.mean(0))
        if content.vocabulary is not None:
            self.words = single_words(content.vocabulary.words)[:, 0].to(self.rarity.device)
            self.read(content.vocabulary.vectors)

    def read(self, vectors: Tensor) -> None:
        """``vectors`` [V, width] of the words as the language model has them."""
        self.vectors = functional.normalize(vectors.to(self.middle) - self.middle, dim=-1)

    def fit_to(self, state: Mapping[str, Tensor], prefix: str) -> None:
        """Make room for as many words as a saved state holds."""
        self.holders = None
        self.codes, self.words, self.vectors = (torch.zeros_like(state[f"{prefix}{name}"]) for name in ("codes", "words", "vectors"))

    def grow(self, content: ItemContent) -> None:
        if content.single is not None:
            added = content.single[len(self.codes) :].to(self.codes.device)
            wide = max(self.codes.shape[1], added.shape[1])
            held, added = (functional.pad(codes, (0, wide - codes.shape[1])) for codes in (self.codes, added))
            self.codes, self.length = torch.cat([held, added]), torch.cat([self.length, self._length(added)])

    def change(self, content: ItemContent, items: Tensor) -> None:
        """Take the words that ``content`` has of ``items`` [m] now."""
        if content.single is not None:
            items, now = items.to(self.codes.device), content.single[items].to(self.codes.device)
            wide = max(self.codes.shape[1], now.shape[1])
            held, now = (functional.pad(codes, (0, wide - codes.shape[1])) for codes in (self.codes, now))
            self.codes, self.length = held.index_copy(0, items, now), self.length.index_copy(0, items, self._length(now))
            if bool((items < self.sorted).any()):
                self.holders = None

    def _length(self, codes: Tensor) -> Tensor:
        length = functional.embedding_bag(codes.int(), self.rarity[:, None], mode="sum")[:, 0].sqrt()
        return torch.where(length > 0, length, 1.0)

    def forward(self, typed: Words, items: Tensor | None = None) -> Tensor:
        """``typed`` [P] -> [P, n] for the whole catalogue, shared ``items`` [n], or own [P, n]; [1] 0 where nothing was typed."""
        single = typed.single
        single = single[:, : int((single > 0).sum(1).max())] if len(single) else single[:, :0]
        if not single.shape[1]:
            return self.rarity.new_zeros(1)
        shared = self._shared(single, self.rarity[single.int()], items)
        of_text = self.length if items is None else self.length[items]
        of_typed, (a, b, c) = self._length(single)[:, None], self.factor * self.start
        total: Tensor = shared * (a / (of_typed * of_text) + b / of_typed.square())
        return total + self._shared(*self._nearest(typed), items) * c if len(self.words) else total

    def _nearest(self, typed: Words) -> tuple[Tensor, Tensor]:
        """[P, K] words that mean most nearly what was typed, and how nearly: their cosines, none below 0."""
        near = functional.normalize(typed.vectors.to(self.middle) - self.middle, dim=-1) @ self.vectors.T
        told, place = near.topk(min(NEAREST, len(self.words)), dim=1)
        return self.words[place], told.clamp(min=0) * typed.single.any(1, keepdim=True)

    def add_to(self, told: Tensor, typed: Words, items: Tensor) -> Tensor:
        """The same added to ``told`` in those rows, often few, in which something was typed: [P, n] of shared ``items`` [n], [P] of one each [P]."""
        rows = typed.single.any(1).nonzero().ravel()
        if not len(rows):
            return told
        near = self(typed[rows], items) if told.ndim == 2 else self(typed[rows], items[rows, None])[:, 0]
        return told.index_add_(0, rows, near.to(told.dtype))

    def _shared(self, typed: Tensor, worth: Tensor, items: Tensor | None) -> Tensor:
        """[P, n] what the words ``typed`` [P, S] that an item has too are ``worth`` [P, S] together."""
        if items is None:
            held = self._by_holders(typed.long(), worth)
            added = torch.arange(self.sorted, len(self.codes), device=held.device)
            return torch.cat([held, self._shared(typed, worth, added)], dim=1) if len(added) else held
        if items.ndim == 2:
            both = (typed[:, None, :, None] == self.codes[items][:, :, None, :]).any(-1)  # [P, n, S]
            return (both * worth[:, None]).sum(-1)
        words = typed[typed > 0].unique().long()
        place = torch.zeros(1 + BUCKETS, dtype=torch.int64, device=words.device)
        place[words] = torch.arange(1, 1 + len(words), device=words.device)
        holds = worth.new_zeros(1 + len(words), len(items))  # row 0: words that nobody typed
        held = place[self.codes[items].long()]  # [n, S]
        holds[held, torch.arange(len(items), device=words.device)[:, None]] = 1
        return functional.embedding_bag(place[typed.long()], holds, per_sample_weights=worth, mode="sum", padding_idx=0)

    def _by_holders(self, typed: Tensor, worth: Tensor) -> Tensor:
        if self.holders is None or self.holders[0].device != self.codes.device or len(self.codes) - self.sorted > MOST_ADDED:
            flat = self.codes.flatten().int()
            there = flat.nonzero().ravel()
            counts = torch.bincount(flat[there], minlength=1 + BUCKETS)
            holders = there[flat[there].argsort()] // self.codes.shape[1]
            self.holders, self.sorted = (holders.int(), functional.pad(counts.cumsum(0), (1, 0))), len(self.codes)
        items, begins = self.holders
        word, place = ragged(begins[typed].flatten(), (begins[typed + 1] - begins[typed]).flatten())
        out = worth.new_zeros(len(typed), self.sorted)
        return out.view(-1).index_add_(0, word // typed.shape[1] * self.sorted + items[place], worth.flatten()[word]).view_as(out)
