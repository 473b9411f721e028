"""Which items may stand against what was taken."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["taken_before"]


def taken_before(history: Tensor, here: Tensor, targets: Tensor, candidates: Tensor, n_items: int) -> Tensor:
    """[P, n] whether a candidate was taken in the history that led to a target; the target itself never counts.

    Where lists leave out what was taken before, these are no negatives: a model that ranks against them spends itself on pushing down
    what will never be asked. Cost: P × (T + n).

    ``history`` [B, T] item codes, -1 = none, where place t holds the event before target t; ``here`` [B, T] which places have a target, P in all;
    ``targets`` [P] their codes; ``candidates`` [n] codes, doubles allowed.

    >>> history, here = torch.tensor([[-1, 4, 2]]), torch.tensor([[True, True, True]])
    >>> taken_before(history, here, torch.tensor([4, 2, 4]), torch.tensor([2, 4, 7]), 8).tolist()
    [[False, False, False], [False, True, False], [True, False, False]]
    """
    distinct, column = candidates.unique(return_inverse=True)
    place = torch.full((n_items,), -1, device=history.device)
    place[distinct] = torch.arange(len(distinct), device=history.device)
    row, last = here.nonzero(as_tuple=True)
    before = history[row]  # [P, T]
    counts = (before >= 0) & (torch.arange(history.shape[1], device=history.device) <= last[:, None]) & (before != targets[:, None])
    columns = place[before.clamp(min=0)]
    counts &= columns >= 0
    taken = torch.zeros(len(row), len(distinct), dtype=torch.bool, device=history.device)
    taken[torch.arange(len(row), device=history.device)[:, None].expand_as(before)[counts], columns[counts]] = True
    return taken if torch.equal(distinct, candidates) else taken[:, column]
