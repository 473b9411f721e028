"""Why an item stands where it stands: the parts of its score, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from .batches import QueryBatch
from .models import Model
from .types import Reason

__all__ = ["explained"]

TOLD: Mapping[str, tuple[str, str]] = {
    "history": ("what the user did", "fits what was taken before"),
    "moment": ("time and context", "fits the time and the context"),
    "words": ("typed words", "fits the typed words"),
    "content": ("similar texts", "reads like what was taken before"),
    "taste": ("user and item", "fits this user, as far as known"),
    "usual": ("the usual", "what any item gets here, taken off"),
    "new": ("new items", "new here: a share of the places is kept for new items"),
    "popularity": ("popularity", "taken by many, also lately"),
    "ranker": ("the second model", "moved by a closer look at the best"),
}
"""Kind of a part: what it rests on, and how that is said to people."""
STRANGER = ("no history yet", "fits those who are new here")
"""The same of ``history`` where there is none."""


def explained(model: Model, queries: QueryBatch, chosen: Sequence[NDArray[np.int64]]) -> list[list[tuple[Reason, ...]]]:
    """For each query the reasons of each chosen item. Their weights sum to the item's score; ``new`` is a reason of new items alone."""
    width = max((len(codes) for codes in chosen), default=0)
    if width == 0:
        return [[] for _ in chosen]
    items = torch.zeros(len(chosen), width, dtype=torch.int64)
    for row, codes in enumerate(chosen):
        items[row, : len(codes)] = torch.from_numpy(codes)
    with torch.inference_mode():
        parts = {kind: part.double().numpy() for kind, part in model.reasons(queries, items).items()}
    strange = (queries.history < 0).all(1).tolist()
    return [
        [
            tuple(_reason(kind, float(part[row, place]), strange[row]) for kind, part in parts.items() if kind != "new" or part[row, place])
            for place in range(len(codes))
        ]
        for row, codes in enumerate(chosen)
    ]


def _reason(kind: str, weight: float, strange: bool) -> Reason:
    what, text = STRANGER if strange and kind == "history" else TOLD.get(kind, (kind, kind))
    return Reason(kind, what, weight, text)
