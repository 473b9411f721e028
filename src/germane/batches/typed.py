"""What was typed at events, once for each text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..data.dataset import Dataset
from ..encoders import Words, prompts, word_codes

__all__ = ["Encode", "own_phrases", "typed_words", "words_of"]

Encode = Callable[[Sequence[str]], Tensor]


def words_of(texts: Sequence[str], encode: Encode) -> Words:
    """As models read them; an empty text is nothing typed."""
    return Words(encode(texts) * torch.tensor([bool(text) for text in texts])[:, None], word_codes(texts))


def typed_words(dataset: Dataset, encode: Encode, width: int) -> tuple[Words, NDArray[np.int64]]:
    """All that was typed at events, and each event's row among it; row 0 = nothing. ``width``: of the encoder."""
    if "words" not in dataset.events.columns:
        return Words.none(1, width), np.zeros(len(dataset), dtype=np.int64)
    words = dataset.events["words"].fill_null("")
    distinct = ["", *sorted(set(words.to_list()) - {""})]
    rows = words.replace_strict(distinct, np.arange(len(distinct)), return_dtype=pl.Int64).to_numpy()
    return words_of(distinct, encode), rows


def own_phrases(dataset: Dataset, encode: Encode, first: int) -> tuple[Words, NDArray[np.int64]]:
    """Each text column's distinct values as if they were typed, to be put behind ``first`` others, and the rows [items, K] of each item's own."""
    found: dict[str, int] = {}
    columns = []
    for name in dataset.columns.text:
        texts = prompts(dataset.items, "{" + name + "}", [name], dataset.separators)
        columns.append([first + found.setdefault(text, len(found)) if text else 0 for text in texts])
    return words_of(list(found), encode), np.array(columns, dtype=np.int64).T.reshape(dataset.n_items, -1)
