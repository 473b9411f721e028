"""Items like an item, for histories that are to be varied: one of its nearest neighbours, drawn."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ..data.augmentation import Alike

__all__ = ["alike_by", "nearest"]

NEAREST = 5
"""Of these one is drawn."""
BLOCK = 512


def alike_by(vectors: Tensor, known: Tensor) -> Alike:
    """What draws, for an item, one of the five known items whose ``vectors`` [items, width] point most nearly the same way.

    ``known`` [items] bool. Nothing (−1) for an item with a zero vector. Cost: one product of all vectors with those of known items.

    >>> draw = alike_by(torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 0.0]]), torch.tensor([True, True, True]))
    >>> draw(np.array([0, 1, 2]), np.random.default_rng(0)).tolist()
    [1, 0, -1]
    """
    neighbours = nearest(vectors, known)

    def draw(items: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        own = neighbours[items]
        there = np.maximum((own >= 0).sum(1), 1)
        drawn: NDArray[np.int64] = np.take_along_axis(own, rng.integers(0, there)[:, None], 1)[:, 0]
        return drawn

    return draw


def nearest(vectors: Tensor, known: Tensor) -> NDArray[np.int64]:
    """[items, 5] the nearest known items of each by cosine, itself left out; -1 = there are no more."""
    with torch.no_grad():
        unit = functional.normalize(vectors.float(), dim=-1)
        told = unit.abs().sum(-1) > 0
        pool = (known.to(told.device) & told).nonzero().ravel()
        k = min(NEAREST, len(pool))
        out = torch.full((len(unit), NEAREST), -1, device=unit.device)
        for begin in range(0, len(unit) if k else 0, BLOCK):
            codes = torch.arange(begin, min(begin + BLOCK, len(unit)), device=unit.device)
            cosine = (unit[codes] @ unit[pool].T).masked_fill(codes[:, None] == pool, -torch.inf)
            best = cosine.topk(k, dim=1)
            out[codes, :k] = pool[best.indices].masked_fill(best.values.isneginf() | ~told[codes][:, None], -1)
    return out.cpu().numpy()
