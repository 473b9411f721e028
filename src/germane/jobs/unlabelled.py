"""What a language model is pretrained on: a corpus, or one's own items and the words typed, and which of them belong together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..data import Dataset, Split
from ..data.corpus import read_corpus
from ..data.following import following
from ..data.splits import held_out_items
from ..encoders import prompts
from ..encoders.learning import behind
from ..errors import ConfigError
from ..training.pretraining import PairedTexts, PretrainingOptions

__all__ = ["paired_texts", "texts_of"]


def texts_of(options: PretrainingOptions, base: Path, dataset: Dataset | None, split: Split | None) -> list[str]:
    """Each different text once: those of the corpus, or of the items and of what was typed in training events.

    Items that ``[data.rules] hold_out_items`` takes for later ones are left out. Without the prefixes of ``[text]``: what stands before every text
    is guessed without reading any.
    """
    items, typed = _by_role(options, base, dataset, split)
    return _some(options, [*items, *typed])


def paired_texts(
    options: PretrainingOptions, base: Path, dataset: Dataset | None, split: Split | None, item_prefix: str = "", words_prefix: str = ""
) -> PairedTexts:
    """Texts, and pairs of those that belong together, of training events only.

    Each behind the prefix of its role, as training and serving read it, those of a corpus as items: vectors are to be near each other as they are
    read later.
    """
    items, typed_words = _by_role(options, base, dataset, split)
    prefixed = dict.fromkeys(behind(item_prefix, items), len(item_prefix)) | dict.fromkeys(behind(words_prefix, typed_words), len(words_prefix))
    texts = _some(options, list(prefixed))
    lengths = [prefixed[text] for text in texts]
    if dataset is None or split is None:
        if wrong := [kind for kind in options.pairs or () if kind != "views"]:
            raise ConfigError(
                f'[pretraining] pairs asks for {" and ".join(wrong)}, which are of events, and a corpus has none: say ["views"], or leave corpus out.'
            )
        return PairedTexts(texts, {"views": _twice(len(texts))}, lengths)
    place = {text: row for row, text in enumerate(texts)}
    of_item = np.array([place.get(text, -1) for text in behind(item_prefix, item_texts(dataset))], dtype=np.int64)  # -1: no text
    typed = np.array([place.get(words, -1) for words in behind(words_prefix, typed_in(dataset, split.train))], dtype=np.int64)
    found = {
        "next_item": of_item[following(dataset, split.train)].reshape(-1, 2),
        "words": np.stack([typed, of_item[dataset.item_codes[split.train]]], axis=1),
        "views": _twice(len(texts)),
    }
    found = {kind: pairs[(pairs >= 0).all(1) & ((pairs[:, 0] != pairs[:, 1]) | (kind == "views"))] for kind, pairs in found.items()}
    asked = options.pairs or [kind for kind in ("next_item", "words") if len(found[kind])] or ["views"]
    if lacking := [kind for kind in asked if not len(found[kind])]:
        there = [kind for kind in found if len(found[kind])]
        raise ConfigError(f"[pretraining] pairs asks for {' and '.join(lacking)}, and the training events have none; there are {', '.join(there)}.")
    return PairedTexts(texts, {kind: found[kind] for kind in dict.fromkeys(asked)}, lengths)


def _by_role(options: PretrainingOptions, base: Path, dataset: Dataset | None, split: Split | None) -> tuple[list[str], list[str]]:
    """Texts of items or of a corpus, and what was typed; some more than once."""
    if options.corpus is not None:
        return read_corpus(options.corpus, base, options.column), []
    assert dataset is not None and split is not None
    return [text for text, later in zip(item_texts(dataset), held_out_items(dataset)) if not later], typed_in(dataset, split.train)


def item_texts(dataset: Dataset) -> list[str]:
    """[items] the prompts."""
    return prompts(dataset.items, dataset.prompt, [name for name in dataset.columns.text if name in dataset.items.columns], dataset.separators)


def typed_in(dataset: Dataset, rows: NDArray[np.int64]) -> list[str]:
    """[rows] what was typed at these events, empty where nothing was; of what was shown and not taken (label 0), nothing."""
    if "words" not in dataset.events.columns:
        return [""] * len(rows)
    words = pl.col("words").fill_null("").str.strip_chars()
    taken = pl.col("label").fill_null(1) != 0 if "label" in dataset.events.columns else pl.lit(True)
    return dataset.events[rows].select(pl.when(taken).then(words).otherwise(pl.lit("")).alias("words"))["words"].to_list()


def _some(options: PretrainingOptions, texts: Sequence[str]) -> list[str]:
    """Each once, without blank ones; an error where there are no others."""
    found = [text for text in dict.fromkeys(texts) if text.strip()]
    if not found:
        own = "there are no texts: name them in [data.columns] text, or give [pretraining] corpus."
        raise ConfigError(f"[pretraining] {own if options.corpus is None else 'the corpus holds no texts.'}")
    return found


def _twice(n: int) -> NDArray[np.int64]:
    return np.repeat(np.arange(n, dtype=np.int64)[:, None], 2, axis=1)
