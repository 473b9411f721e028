"""Learning from histories alone: two views of one history are to be told from those of others."""

from __future__ import annotations

from dataclasses import replace

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from ..batches import Batch, QueryBatch
from ..component import Options
from ..features import Moments
from ..losses.pretraining import info_nce
from ..models import TwoSided

__all__ = ["FEWEST", "ContrastOptions", "contrast", "view_of"]

FEWEST = 3
"""Events that a history holds at least to be learnt from alone: its views differ and still tell whose they are, and what is hidden leaves something
to tell it from."""


class ContrastOptions(Options):
    weight: float = Field(default=0.1, gt=0)
    """Of this loss beside the others."""
    temperature: float = Field(default=0.2, gt=0)
    """The lower, the more the most similar histories of others count."""
    crop: float = Field(default=0.6, gt=0, le=1)
    """Share of a history's events, in a row, that a cropped view keeps."""
    mask: float = Field(default=0.3, gt=0, lt=1)
    """Share of them that a masked view hides."""
    reorder: float = Field(default=0.6, gt=0, le=1)
    """Share of them, in a row, that a reordered view shuffles."""


def contrast(model: TwoSided, batch: Batch, options: ContrastOptions) -> Tensor:
    """Mean cross-entropy of telling which two views are of one stretch, among those of the batch; each view is cropped, masked or reordered.

    Needs no target, so it learns from what users did however rare each item is; ``augment`` changes what targets are predicted from instead.
    Stretches of fewer than three events take no part. The others of the batch are what it is told from: ``accumulate``, or more processes, make
    the task easier, not the batch larger. Cost: two more passes over the histories.

    Source: Xie et al., Contrastive Learning for Sequential Recommendation (CL4SRec), 2022.
    """
    told = (batch.queries.history >= 0).sum(1) >= FEWEST
    if int(told.sum()) < 2:
        return torch.zeros((), device=told.device)
    asked = batch.histories()[told]
    one, other = (functional.normalize(model.query_vectors(view_of(asked, options)).float(), dim=1) for _ in range(2))
    user = batch.queries.users[told]
    alike = (user[:, None] == user) & ~torch.eye(len(user), dtype=torch.bool, device=user.device)  # another stretch of the same timeline
    return info_nce(one, other, alike, options.temperature)


def view_of(queries: QueryBatch, options: ContrastOptions) -> QueryBatch:
    """The same histories, each cropped, masked or reordered, by turns of chance; what belongs to an event moves with it, times stay."""
    there = queries.history >= 0
    rows, width = there.shape
    counts = there.sum(1, keepdim=True)  # [B, 1]
    rank = there.int().cumsum(1) - 1  # which of its events each place holds
    place = torch.arange(width, device=there.device)
    kind = torch.randint(3, (rows, 1), device=there.device)
    run = (counts * torch.where(kind == 0, options.crop, options.reorder)).round().long().clamp(min=1)
    begin = (torch.rand(rows, 1, device=there.device) * (counts - run + 1)).long()
    inside = there & (rank >= begin) & (rank < begin + run)
    newest = rank == counts - 1  # stays, so that something does
    hidden = torch.rand(rows, width, device=there.device) < options.mask
    kept = there & torch.where(kind == 0, inside, (kind == 2) | ~hidden | newest)
    first, last = (torch.where(inside, place, none).aminmax(dim=1, keepdim=True)[side] for none, side in ((width, 0), (-1, 1)))
    shuffled = (kind == 2) & (place >= first) & (place <= last)
    order = torch.where(shuffled, first + torch.rand(rows, width, device=there.device) * (last - first + 1), place).argsort(1)

    def moved(part: Tensor) -> Tensor:
        return part.gather(1, order if part.ndim == 2 else order[..., None].expand_as(part))

    moments = Moments(moved(queries.history_moments.codes), moved(queries.history_moments.dense))
    history = moved(queries.history.where(kept, -1))
    return replace(queries, history=history, history_values=moved(queries.history_values), history_moments=moments)
