"""A few of many, so that sums over the few stand for sums over all."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["importance_sample"]


def importance_sample(sizes: Tensor, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
    """``n`` places of ``sizes`` [m], each with a chance that grows with its size, and these chances; all of them where there are no more.

    A sum over the places drawn, each term divided by its chance, is on average the sum over all m; for terms of these sizes it strays the least
    (systematic sampling; Madow 1949). Places of size 0, or too small to be divided by, are not drawn.

    >>> places, chances = importance_sample(torch.tensor([4.0, 0.0, 1.0, 1.0]), 2, torch.Generator().manual_seed(0))
    >>> places[0].item(), len(places), chances.tolist()
    (0, 2, [1.0, 0.5])
    """
    there = (sizes >= torch.finfo(sizes.dtype).tiny).nonzero().ravel()
    if len(there) <= n:
        return there, torch.ones_like(sizes[there])
    of = sizes[there].double()
    chances, left = torch.zeros_like(of), torch.ones_like(of, dtype=torch.bool)
    while True:  # one that would be sure to be drawn leaves its share to the others
        chances = torch.where(left, of * ((n - (~left).sum()) / of[left].sum()), 1.0)
        sure = left & (chances >= 1)
        if not bool(sure.any()):
            break
        left &= ~sure
    ends = (chances.cumsum(0) + torch.rand((), device=sizes.device, generator=generator, dtype=torch.float64)).floor().long()
    drawn = ends > torch.cat([ends.new_zeros(1), ends[:-1]])
    return there[drawn], chances[drawn].to(sizes.dtype)
