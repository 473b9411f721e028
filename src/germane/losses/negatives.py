"""Which items may stand against what was taken."""

from __future__ import annotations

import torch
from torch import Tensor

from .draws import of_their_own

__all__ = ["drawn_beside", "taken_before"]


def taken_before(history: Tensor, at: tuple[Tensor, Tensor], targets: Tensor, candidates: Tensor, n_items: int) -> Tensor:
    """[P, n] whether a candidate was taken in the history that led to a target; the target itself never counts.

    Where lists leave out what was taken before, these are no negatives: a model that ranks against them spends itself on pushing down
    what will never be asked. Cost: P × (T + n).

    ``history`` [B, T] item codes, -1 = none, where place t holds the event before target t; ``at`` ([P], [P]) rows and places of it;
    ``targets`` [P] their codes; ``candidates`` [n] codes, doubles allowed.

    >>> history, at = torch.tensor([[-1, 4, 2]]), (torch.tensor([0, 0, 0]), torch.tensor([0, 1, 2]))
    >>> taken_before(history, at, torch.tensor([4, 2, 4]), torch.tensor([2, 4, 7]), 8).tolist()
    [[False, False, False], [False, True, False], [True, False, False]]
    """
    distinct, column = candidates.unique(return_inverse=True)
    place = torch.full((n_items,), -1, device=history.device)
    place[distinct] = torch.arange(len(distinct), device=history.device)
    row, last = at
    before = history[row]  # [P, T]
    counts = (before >= 0) & (torch.arange(history.shape[1], device=history.device) <= last[:, None]) & (before != targets[:, None])
    columns = place[before.clamp(min=0)]
    counts &= columns >= 0
    taken = torch.zeros(len(row), len(distinct), dtype=torch.bool, device=history.device)
    taken[torch.arange(len(row), device=history.device)[:, None].expand_as(before)[counts], columns[counts]] = True
    return taken if torch.equal(distinct, candidates) else taken[:, column]


def drawn_beside(pool: Tensor, users: Tensor, history: Tensor, items: Tensor, targets: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """[P, count] items of ``pool`` beside each target, and which of them do not count, since the target's stretch holds them, before it or after.

    ``users`` [B]; ``history``, ``items``, ``targets`` [B, T] codes, -1 = none, of which P are targets. What the user took outside the stretch is not
    known here. Drawn in common. Cost: P × T × count.
    """
    row, last = (targets >= 0).nonzero(as_tuple=True)
    drawn = pool[of_their_own((users[row] << 20) + targets.shape[1] - last, count, len(pool))]
    held = torch.cat([history, items], dim=1)[row]  # [P, 2 T]
    return drawn, (held[:, :, None] == drawn[:, None]).any(1)
