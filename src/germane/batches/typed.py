"""What was typed at events, once for each text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..data.dataset import Dataset
from ..encoders import Encoder, Spelling, Words, prompts, words_in

__all__ = ["Encode", "own_phrases", "spelling_of", "typed_words", "words_of"]

Encode = Callable[[Sequence[str]], Tensor]
TYPISTS = 3
"""Users who have to have typed a word before a run keeps it: what one alone types may be about them."""


def spelling_of(dataset: Dataset, texts: Sequence[str], encoder: Encoder) -> Spelling | None:
    """What is known of words from ``texts``, the items', and from what ``TYPISTS`` users or more typed. None: no encoder reads words, or
    ``[data.rules]`` want them as they are."""
    if not encoder.width or not dataset.rules.correct_words:
        return None
    counts = words_in(texts)
    if "words" in dataset.events.columns:
        typed = dataset.events.select("user", "words").drop_nulls().unique().group_by("user").agg(pl.col("words").str.join(", "))
        counts.update({word: users for word, users in words_in(typed["words"]).items() if users >= TYPISTS})
    return Spelling(counts, encoder.is_word)


def words_of(texts: Sequence[str], encode: Encode, spelling: Spelling | None = None) -> Words:
    """As models read them; an empty text is nothing typed."""
    read = texts if spelling is None else [spelling(text) for text in texts]
    return Words.of(read, encode(read) * torch.tensor([bool(text) for text in texts])[:, None])


def typed_words(dataset: Dataset, encode: Encode, width: int, spelling: Spelling | None = None) -> tuple[Words, NDArray[np.int64]]:
    """All that was typed at events, and each event's row among it; row 0 = nothing. ``width``: of the encoder."""
    if "words" not in dataset.events.columns:
        return Words.none(1, width), np.zeros(len(dataset), dtype=np.int64)
    words = dataset.events["words"].fill_null("")
    distinct = ["", *sorted(set(words.to_list()) - {""})]
    rows = words.replace_strict(distinct, np.arange(len(distinct)), return_dtype=pl.Int64).to_numpy()
    return words_of(distinct, encode, spelling), rows


def own_phrases(dataset: Dataset, encode: Encode, first: int) -> tuple[Words, NDArray[np.int64]]:
    """Each text column's distinct values as if they were typed, to be put behind ``first`` others, and the rows [items, K] of each item's own."""
    found: dict[str, int] = {}
    columns = []
    for name in dataset.columns.text:
        texts = prompts(dataset.items, None, [name], dataset.separators)
        columns.append([first + found.setdefault(text, len(found)) if text else 0 for text in texts])
    return words_of(list(found), encode), np.array(columns, dtype=np.int64).T.reshape(dataset.n_items, -1)
