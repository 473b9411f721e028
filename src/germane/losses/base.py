"""What training asks of a model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

__all__ = ["HEADS", "Head", "Objective", "RankingLoss", "RatingLoss"]

Head = Literal["click", "rating", "ranking", "conversion"]
HEADS: tuple[Head, ...] = get_args(Head)
"""In the order in which ``score`` looks for one: a model that ranks is asked how it ranks, not what would be bought of what was clicked."""
RankingLoss = Literal["softmax", "sampled_softmax", "bce", "gbce", "bpr"]
RatingLoss = Literal["mse", "bce", "ordinal"]


@dataclass(frozen=True)
class Objective:
    """Which heads learn, with which losses and against which negatives."""

    loss: RankingLoss = "softmax"
    """Of the ranking head. ``softmax`` compares with the whole catalogue, the others with ``negatives`` drawn items that the batch shares."""
    negatives: int = 1024
    """Of the ranking head."""
    seen_as_negatives: bool = True
    """Whether items of the history that led to a target stand against it."""
    heads: Mapping[Head, float] = field(default_factory=lambda: {"ranking": 1.0})
    """What a model gives, and the weight of its loss."""
    rating_loss: RatingLoss = "mse"
    click_negatives: int = 4
    """Drawn for each positive by a model that learns clicks from timelines; 0 where labels say what was shown and not taken."""
    unknown_as_negatives: bool = False
    """Whether these may be items without training events."""
    label_smoothing: float = 0.0
    """Share of a target that the softmax losses spread over the catalogue."""

    def first(self) -> Head:
        """The head that answers where none is named: the one that says most."""
        return next(head for head in HEADS if head in self.heads)

    def only(self, heads: Iterable[Head]) -> Objective:
        """The same, of what a model can give; ``ranking`` where nothing is left."""
        return replace(self, heads={head: weight for head, weight in self.heads.items() if head in set(heads)} or {"ranking": 1.0})
