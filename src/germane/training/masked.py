"""Learning from histories alone: events that were hidden from one are to be told from the rest of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from pydantic import Field
from torch import Tensor

from ..batches import Batch
from ..batches.batch import PAD, blank
from ..component import Options
from ..losses import next_item
from ..models import TwoSided
from .contrast import FEWEST

__all__ = ["MaskedOptions", "masked"]


class MaskedOptions(Options):
    weight: float = Field(default=0.1, gt=0)
    """Of this loss beside the others."""
    share: float = Field(default=0.2, gt=0, lt=1)
    """Of a history's events that are hidden, one at least."""


def masked(model: TwoSided, batch: Batch, options: MaskedOptions) -> Tensor:
    """The ranking loss of the items that were hidden from each stretch, asked of the rest of it: of what came before them and of what came after.

    Where the next item is told by the past alone, this learns what belongs together whatever its order. Hidden events leave a hole, as those that
    ``augment`` masks do; in no moment and without words. A model that reads forwards sees both sides of a hole in the state of its last place, so
    all that is hidden from a stretch is asked of that one. Stretches of fewer than three events take no part. Cost: one more pass over the
    histories, and the ranking loss of ``share`` of the events.

    Source: after Sun et al. 2019, BERT4Rec, arXiv 1904.06690, which reads in both directions and asks at each hole.
    """
    asked = batch.histories()
    there = asked.history >= 0
    known = model.known_items
    chances = torch.rand(there.shape, device=there.device).masked_fill(~there, 2.0)
    first = torch.zeros_like(there).scatter_(1, chances.argmin(1, keepdim=True), True)
    hidden = (first | (chances < options.share)) & there & known[asked.history.clamp(min=0)] & (there.sum(1, keepdim=True) >= FEWEST)
    hidden &= hidden.sum(1, keepdim=True) < there.sum(1, keepdim=True)
    if not bool(hidden.any()):
        return torch.zeros((), device=there.device)
    empty = hidden | ~there
    left = replace(
        asked,
        history=asked.history.masked_fill(hidden, PAD),
        ages=asked.ages.masked_fill(empty, 0),
        history_values=asked.history_values.masked_fill(empty, torch.nan),
        history_moments=blank(asked.history_moments, empty),
    )
    row, place = hidden.nonzero(as_tuple=True)
    states = model.query_vectors(left)[row]  # [hidden, width]

    def against(items: Tensor) -> Callable[[slice], Tensor]:
        vectors = model.item_vectors(items).T
        return lambda part: states[part] @ vectors

    def own(target: Tensor) -> Tensor:
        return (states * model.item_vectors(target)).sum(1)

    at = row, torch.full_like(place, there.shape[1] - 1)  # where what was taken is no negative, neither is what was taken after it
    return next_item(model.objective, known, asked.history, at, asked.history[row, place], torch.ones_like(states[:, 0]), against, own)
