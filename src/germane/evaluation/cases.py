"""What is asked when a model is judged."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from ..batches import EventTable
from ..data import Dataset, Split
from ..data.conversions import closed
from ..data.splits import held_out_items
from ..encoders import Words
from ..features import Moments
from ..recommender import Recommender
from .options import EvaluationOptions

__all__ = ["Cases", "cases_of"]


@dataclass(frozen=True)
class Cases:
    """Held-out events and what is needed to judge a model on them."""

    table: EventTable
    """Its visible events are what histories may hold."""
    rows: NDArray[np.int64]
    """Rows of the event table."""
    known_items: NDArray[np.bool_]
    """[items] the model was trained on events of it."""
    training_counts: NDArray[np.int64]
    """[users] training events of each."""
    item_counts: NDArray[np.int64]
    """[items] training events of each."""
    training_pairs: NDArray[np.int64]
    """user × items + item of what was taken in training, ascending."""
    moments: Moments | None = None
    """[rows, ...] asked instead of the events' own; see ``variants``."""
    words: Words | None = None
    """[rows, ...] asked instead of the events' own."""

    def taken(self, users: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.bool_]:
        """[pairs] whether the user took the item in a training event."""
        pairs = users.astype(np.int64) * len(self.known_items) + items
        return np.isin(pairs, self.training_pairs)

    def only(self, mask: NDArray[np.bool_]) -> Cases:
        """Those of them, [rows] bool."""
        if mask.all():
            return self
        at = torch.from_numpy(np.flatnonzero(mask))
        moments = None if self.moments is None else self.moments[at]
        return replace(self, rows=self.rows[mask], moments=moments, words=None if self.words is None else self.words[at])


def cases_of(recommender: Recommender, dataset: Dataset, split: Split, part: str, options: EvaluationOptions) -> Cases:
    """The held-out events of ``part``, and who knows what when they are asked: histories hold all that came before, events of no part too, unless
    they are frozen.

    ``split``: its ``train`` are the events that the recommender was trained on, after ``refit`` those of ``Split.refitted``.
    """
    rows = split.validation if part == "validation" else split.test
    told = closed(dataset)
    table = recommender.table(told, visible=split.train if options.history == "frozen" else _happened(dataset, split, part))
    items = np.bincount(dataset.item_codes[split.train], minlength=dataset.n_items)
    users = np.bincount(dataset.user_codes[split.train], minlength=dataset.n_users)
    took = split.train[table.positive[split.train]]
    pairs = np.unique(dataset.user_codes[took].astype(np.int64) * dataset.n_items + dataset.item_codes[took])
    return Cases(table, rows, recommender.content.known.cpu().numpy(), users, items, pairs)


def _happened(dataset: Dataset, split: Split, part: str) -> NDArray[np.int64]:
    """Rows that histories may hold: not what the rules keep out of every part, and nothing of the test while validation is asked."""
    there = ~held_out_items(dataset)[dataset.item_codes]
    there[np.concatenate([split.train, split.validation, split.test])] = True
    if part == "validation":
        there[split.test] = False
    return np.flatnonzero(there)
