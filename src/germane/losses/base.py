"""What training asks of a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Objective", "RankingLoss"]

RankingLoss = Literal["softmax", "sampled_softmax", "bce", "gbce", "bpr"]


@dataclass(frozen=True)
class Objective:
    """The ranking loss and how many shared negatives it draws."""

    loss: RankingLoss = "softmax"
    """``softmax`` compares with the whole catalogue, the others with ``negatives`` drawn items that the batch shares."""
    negatives: int = 1024
    seen_as_negatives: bool = True
    """Whether items of the history that led to a target stand against it."""
