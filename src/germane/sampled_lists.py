"""Lists of some users, over which a model settles what is to hold for lists on average."""

from __future__ import annotations

import torch
from torch import Tensor

from .batches import QueryBatch
from .catalogue import Catalogue
from .histories import Histories
from .query_reader import QueryReader
from .types import Query

__all__ = ["most_lists", "sampled_lists"]

LISTS, SCORES = 256, 1 << 24
"""Users, and scores in all, so that settling takes about as long on a catalogue of any size."""


def most_lists(n_items: int, users: int) -> int:
    """How many users are asked.

    >>> most_lists(12_000, 900), most_lists(1_000_000, 900), most_lists(12_000, 3)
    (256, 16, 3)
    """
    return min(users, max(1, min(LISTS, SCORES // max(1, n_items))))


def sampled_lists(
    reader: QueryReader, histories: Histories, catalogue: Catalogue, exclude_seen: bool | tuple[str, ...], now: float, length: int
) -> tuple[QueryBatch, tuple[Tensor, Tensor]]:
    """What users with a history, one at least, would be asked ``now``, in the context of their newest event, and (query number, item code) of what
    their lists leave out."""
    everyone = histories.users()
    users = everyone[:: -(-len(everyone) // most_lists(len(catalogue.items), len(everyone)))]  # of all ages: the first are the oldest
    newest = [histories.of(user)[-1:] for user in users]
    asked = [Query(user=user, context=reader.cells(last[0].context) if last else {}) for user, last in zip(users, newest, strict=True)]
    queries = reader.read(asked, histories, now, length, [[] for _ in users])
    kinds = None if exclude_seen is True else exclude_seen or ()
    codes = catalogue.codes
    seen = [(row, codes[item]) for row, user in enumerate(users) for item in histories.seen(user, kinds) if item in codes]
    row, item = torch.tensor(seen, dtype=torch.int64).reshape(-1, 2).T
    return queries, (row, item)
