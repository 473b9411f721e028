"""The same held-out events, asked differently: in another's moment, with values missing, with typing errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import polars as pl
import torch

from ..batches import event_frame, words_of
from ..recommender import Recommender
from .cases import Cases

__all__ = ["VARIANTS", "mistyped", "with_typos", "without_values", "shuffled", "shuffled_within_users"]

SHARE = 0.1
"""Of context values that ``without_values`` blanks."""


def shuffled(cases: Cases, recommender: Recommender, seed: int) -> Cases | None:
    """Every case is asked in the moment of another: what the model loses by it, it owes to context. None: the model reads no context."""
    if not recommender.features.parts or "context" not in recommender.model.abilities.reads:
        return None
    order = np.random.default_rng(seed).permutation(len(cases.rows))
    return replace(cases, moments=cases.table.moments[torch.from_numpy(cases.rows[order])])


def shuffled_within_users(cases: Cases, recommender: Recommender, seed: int) -> Cases | None:
    """Every case is asked in the moment of another of the same user, where there is one: what the model owes to the moment, not to habits.

    None: the model reads no context, or no user has two cases.
    """
    users = cases.table.users[cases.rows]
    if not recommender.features.parts or "context" not in recommender.model.abilities.reads or len(np.unique(users)) == len(users):
        return None
    there = np.argsort(users, kind="stable")
    drawn = np.lexsort((np.random.default_rng(seed).random(len(users)), users))  # in order of users too, each user's own at random
    order = np.empty_like(there)
    order[there] = drawn
    return replace(cases, moments=cases.table.moments[torch.from_numpy(cases.rows[order])])


def without_values(cases: Cases, recommender: Recommender, seed: int) -> Cases | None:
    """One context value in ten is not known. The time of the request always is. None: there are no context columns that the model reads."""
    if not recommender.features.names or "context" not in recommender.model.abilities.reads:
        return None
    rng = np.random.default_rng(seed)
    frame = event_frame(cases.table.dataset, cases.rows)
    blanked = [
        pl.when(pl.Series(rng.random(frame.height) >= SHARE)).then(pl.col(name)).alias(name)
        for name in recommender.features.names
        if name in frame.columns
    ]
    return replace(cases, moments=recommender.features.encode(frame.with_columns(blanked)))


def with_typos(cases: Cases, recommender: Recommender, seed: int) -> Cases | None:
    """Each typed word of four letters or more has one typing error. None: nobody typed anything, or the model reads no words."""
    events = cases.table.dataset.events
    if "words" not in events.columns or "words" not in recommender.model.abilities.reads or not recommender.text.width:
        return None
    rng = np.random.default_rng(seed)
    typed = events["words"].gather(cases.rows).fill_null("").to_list()
    if not any(typed):
        return None
    return replace(cases, words=words_of([mistyped(text, rng) for text in typed], recommender.encode_words))


def mistyped(text: str, rng: np.random.Generator) -> str:
    """One error in each word of four letters or more: two letters exchanged, one left out, one doubled, or another one in its place.

    >>> mistyped("something very short", np.random.default_rng(0))
    'somethiing evry hsort'
    """
    return " ".join(_slip(word, rng) if len(word) >= 4 else word for word in text.split(" "))


def _slip(word: str, rng: np.random.Generator) -> str:
    at = int(rng.integers(0, len(word) - 1))
    before, letter, after, rest = word[:at], word[at], word[at + 1], word[at + 2 :]
    other = "abcdefghijklmnopqrstuvwxyz"[int(rng.integers(0, 26))]
    slips = (after + letter, after, letter + letter + after, other + after)
    return before + slips[int(rng.integers(0, len(slips)))] + rest


VARIANTS: Mapping[str, Callable[[Cases, Recommender, int], Cases | None]] = {
    "context shuffled": shuffled,
    "context shuffled within users": shuffled_within_users,
    "context missing": without_values,
    "typos in words": with_typos,
}
"""Rows of ``metrics.json`` that need no training of their own."""
