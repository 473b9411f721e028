"""How often each item was taken with what is typed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...data.dataset import Dataset
from ...encoders import word_codes
from ..stretches import stretches

__all__ = ["WordPrior"]

ITEM = 32
"""Bits of a key that say the item."""
TABLE = ("words", "offsets", "keys", "counts")


class WordPrior(nn.Module):
    """A learned weight on the log of how often an item was taken with each typed word, and each two words in a row, in training; the mean over them.

    What a search engine that counts clicks knows, and a vector of a word does not hold exactly: ``WordTower`` says what else a word is for, this
    remembers what it brought. Words and items without counts get nothing. In training no row counts itself.

    Memory: one number for each different pair of a word and an item. Cost: that of the typed words' counts.
    """

    words: Tensor
    """[W] int64, rising: those of ``word_codes``."""
    offsets: Tensor
    """[W + 1] where each word's counts begin."""
    keys: Tensor
    """[C] int64, rising: the word's place and the item of each count."""
    counts: Tensor
    """[C] events, by their weights."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.5))
        self._take(*(np.zeros(n, dtype=np.int64) for n in (0, 1, 0, 0)))

    def _take(self, *columns: NDArray[Any]) -> None:
        for name, column in zip(TABLE, columns, strict=True):
            kind = torch.float32 if name == "counts" else torch.int64
            self.register_buffer(name, torch.tensor(column, dtype=kind, device=self.weight.device))

    def fit(self, dataset: Dataset) -> None:
        """Count the events that hold typed words and whose item was taken."""
        if "words" not in dataset.events.columns:
            return
        events = dataset.events.select("words", "weight", "positive", pl.col("item").cast(pl.Int64))
        events = events.filter(pl.col("positive") & (pl.col("words").fill_null("") != ""))
        texts = events["words"].unique().sort()
        codes = word_codes(texts.to_list()).numpy()
        text, place = codes.nonzero()
        spelt = pl.DataFrame({"words": texts.gather(text), "code": codes[text, place]})
        found = events.join(spelt, on="words").group_by("code", "item").agg(pl.col("weight").sum()).sort("code", "item")
        words, begins = np.unique(found["code"].to_numpy(), return_index=True)
        lengths = np.diff(np.append(begins, len(found)))
        keys = (np.repeat(np.arange(len(words)), lengths) << ITEM) | found["item"].to_numpy()
        self._take(words, np.append(begins, len(found)), keys, found["weight"].to_numpy())

    def _load_from_state_dict(self, state: Mapping[str, Tensor], prefix: str, *given: Any) -> None:
        self._take(*(np.zeros(len(state.get(prefix + name, ())), dtype=np.int64) for name in TABLE))  # room for as many as a saved table holds
        super()._load_from_state_dict(state, prefix, *given)

    def of(self, codes: Tensor, n_items: int, items: Tensor | None = None, itself: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """[P, n] for typed ``codes`` [P, K]: of the whole catalogue, of shared items [n], or of own rows [P, n]. ``itself``: the item [P] that each
        row counted among its words, and by how much [P]; left out of what the row is told."""
        if items is not None and items.ndim == 2:
            return self.weight * self._logs(codes, items, None if itself is None else itself[1])
        with torch.no_grad():
            asked, row = codes.unique(dim=0, return_inverse=True)  # the same is typed many times
            columns, column = (torch.arange(n_items, device=codes.device), None) if items is None else items.unique(return_inverse=True)
            place = torch.full((n_items,), -1, device=codes.device)
            place[columns] = torch.arange(len(columns), device=codes.device)
            word, there = self._places(asked)
            of, k = there.nonzero(as_tuple=True)
            which, entry = stretches(self.offsets, word[of, k])
            to = place[self.keys[entry] & ((1 << ITEM) - 1)]
            known = to >= 0
            logs = self.counts[entry[known]].log1p() / self._share(asked)[of[which[known]]]
            table = torch.zeros(len(asked), len(columns), device=codes.device)
            table.index_put_((of[which[known]], to[known]), logs, accumulate=True)
            out = table[row]
            if itself is not None:
                counted = (place[itself[0]] >= 0).nonzero().ravel()
                out[counted, place[itself[0][counted]]] = self._logs(codes[counted], itself[0][counted, None], itself[1][counted])[:, 0]
            out = out if column is None else out[:, column]
        return self.weight * out

    @torch.no_grad()
    def _logs(self, codes: Tensor, items: Tensor, less: Tensor | None = None) -> Tensor:
        """[P, n] the means for each row's own ``items`` [P, n]; ``less`` [P] of each count is the row's own event."""
        if not len(self.keys):
            return torch.zeros(items.shape, device=items.device)
        word, there = self._places(codes)
        asked = (word[:, None] << ITEM) | items[..., None]  # [P, n, K]
        entry = torch.searchsorted(self.keys, asked).clamp(max=len(self.keys) - 1)
        counts = torch.where((self.keys[entry] == asked) & there[:, None], self.counts[entry], 0.0)
        if less is not None:
            counts = (counts - less[:, None, None]).clamp(min=0)
        return counts.log1p().sum(-1) / self._share(codes)[:, None]

    def _places(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Of each code which of ``words`` it is, and whether it is any."""
        place = torch.searchsorted(self.words, codes).clamp(max=max(len(self.words) - 1, 0))
        there = (self.words[place] == codes) & (codes > 0) if len(self.words) else torch.zeros_like(codes, dtype=torch.bool)
        return place, there

    @staticmethod
    def _share(codes: Tensor) -> Tensor:
        """[P] how many were typed, at least one."""
        return (codes > 0).sum(1).clamp(min=1)
