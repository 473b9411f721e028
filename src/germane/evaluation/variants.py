"""The same held-out events, asked differently: in another's moment, with values missing, in other words, of texts that are said otherwise."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import polars as pl
import torch

from ..batches import event_frame, words_of
from ..encoders import prompts
from ..encoders.augmentation import Augmenter, RoundTrip, Synonyms, Typos, mistyped
from ..models import Learned, Model
from ..recommender import Recommender
from .cases import Cases

__all__ = [
    "READ_OTHERWISE",
    "VARIANTS",
    "paraphrased",
    "reading",
    "shuffled",
    "shuffled_within_users",
    "with_synonyms",
    "with_typos",
    "without_values",
]

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
    rng = np.random.default_rng(seed)
    return _said_otherwise(cases, recommender, lambda typed: [mistyped(text, rng) for text in typed])


def with_synonyms(cases: Cases, recommender: Recommender, seed: int) -> Cases | None:
    """Every other typed word that has one is replaced by a synonym. None: as for ``with_typos``, or WordNet is not here."""
    return _said_by(cases, recommender, seed, Synonyms(share=0.5))


def paraphrased(cases: Cases, recommender: Recommender, seed: int) -> Cases | None:
    """What was typed went into Spanish and back, by ``RoundTrip`` as it comes. None: as for ``with_typos``, or its translator is not here."""
    return _said_by(cases, recommender, seed, RoundTrip(share=1.0))


def _said_by(cases: Cases, recommender: Recommender, seed: int, augmenter: Augmenter) -> Cases | None:
    if augmenter.missing() is not None:
        return None
    return _said_otherwise(cases, recommender, lambda typed: augmenter(typed, np.random.default_rng(seed)))


def _said_otherwise(cases: Cases, recommender: Recommender, said: Callable[[list[str]], list[str]]) -> Cases | None:
    events = cases.table.dataset.events
    if "words" not in events.columns or "words" not in recommender.model.abilities.reads or not recommender.text.width:
        return None
    typed = events["words"].gather(cases.rows).fill_null("").to_list()
    return replace(cases, words=words_of(said(typed), recommender.encode_words, recommender.spelling)) if any(typed) else None


def reading(augmenter: Augmenter) -> Callable[[Cases, Recommender, int], Model | None]:
    """What gives the model as it would be if every item's text had come as ``augmenter`` says it.

    None: the model reads no texts of items, there are none, or what says them otherwise is not here.
    """

    def read(cases: Cases, recommender: Recommender, seed: int) -> Model | None:
        model, data = recommender.model, cases.table.dataset
        if not (isinstance(model, Learned) and model.abilities.tunes and data.columns.text and recommender.text.width) or augmenter.missing():
            return None
        texts = prompts(data.items, data.prompt, [name for name in data.columns.text if name in data.items.columns], data.separators)
        other = copy.deepcopy(model)
        other.settle(recommender.encode(augmenter(texts, np.random.default_rng(seed))))
        return other

    return read


VARIANTS: Mapping[str, Callable[[Cases, Recommender, int], Cases | None]] = {
    "context shuffled": shuffled,
    "context shuffled within users": shuffled_within_users,
    "context missing": without_values,
    "typos in words": with_typos,
    "synonyms in words": with_synonyms,
    "paraphrased words": paraphrased,
}
"""Rows of ``metrics.json`` that need no training of their own."""

READ_OTHERWISE: Mapping[str, Callable[[Cases, Recommender, int], Model | None]] = {
    "typos in texts": reading(Typos(share=0.2)),
    "synonyms in texts": reading(Synonyms(share=0.5)),
    "paraphrased texts": reading(RoundTrip(share=1.0)),
}
"""The like, where not the questions change but what the model has read of the items."""
