"""How items are read: each row of their table as the text that stands for it and as side features."""

from __future__ import annotations

import polars as pl
import torch
from torch import Tensor

from .catalogue import Catalogue
from .data import Dataset
from .encoders import ItemContent, prompts, text_words
from .features import FeatureSet

__all__ = ["ItemReader"]


class ItemReader:
    """Reads the items that training begins with, those that come later, and those that change, all alike."""

    def __init__(self, schema: Dataset, side: FeatureSet) -> None:
        """``side``: fitted to what is known of items."""
        self.side = side
        self._prompt, self._columns, self._separators = schema.prompt, schema.columns.text, schema.separators

    def texts(self, rows: pl.DataFrame) -> list[str]:
        return prompts(rows, self._prompt, [name for name in self._columns if name in rows.columns], self._separators)

    def content(self, rows: pl.DataFrame, texts: list[str], vectors: Tensor, known: Tensor | None = None) -> ItemContent:
        """``vectors`` [rows, text width] of the ``texts``; ``known`` [rows] bool: which have training events, absent: none."""
        side = self.side.encode(rows)
        known = torch.zeros(rows.height, dtype=torch.bool) if known is None else known
        return ItemContent(vectors, side.codes, side.dense, known, self.side.n_codes, text_words(texts))

    def reread(self, held: Catalogue, changed: pl.DataFrame, known: Tensor) -> tuple[Tensor, pl.DataFrame]:
        """Of ``changed``, rows of ids in the catalogue as they will be, those of items that training did not know (``known`` [items] bool) and whose
        text or side features are no longer what is ``held``: codes [m] and rows."""
        codes = torch.tensor([held.codes[item] for item in changed["id"]], dtype=torch.int64)
        late = ~known[codes]
        codes, now = codes[late], changed.filter(pl.Series(late.numpy()))
        was = held.items[codes.numpy()]
        texts = torch.tensor([one != other for one, other in zip(self.texts(was), self.texts(now), strict=True)], dtype=torch.bool)
        before, after = self.side.encode(was), self.side.encode(now)
        other = texts | (before.codes != after.codes).any(1) | (before.dense != after.dense).any(1)
        return codes[other], now.filter(pl.Series(other.numpy()))
