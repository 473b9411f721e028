"""The contract of a policy: scored candidates go in, an ordered choice with the chance of each place comes out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..component import Component
from ..errors import GermaneError
from ..types import Feedback, PropensityKind

__all__ = ["Choice", "Policy", "Scored"]


@dataclass(frozen=True)
class Scored:
    """What a policy chooses from: the candidates that may be shown, each with its score.

    Rules, filters and exclusions have acted already; every candidate here may be drawn.
    """

    items: NDArray[np.int64]
    """[candidates] item codes."""
    scores: NDArray[np.float64]
    """[candidates]"""
    query: NDArray[np.float32] | None = None
    """[width] the query's vector, for policies that learn; None where the model has none."""
    vectors: NDArray[np.float32] | None = None
    """[candidates, width]"""

    def __post_init__(self) -> None:
        scores = np.asarray(self.scores, dtype=np.float64)
        items = np.asarray(self.items, dtype=np.int64)
        if scores.ndim != 1 or scores.shape != items.shape:
            raise GermaneError(f"{items.shape} items with {scores.shape} scores: a policy needs one score for each candidate.")
        wrong = np.flatnonzero(~np.isfinite(scores))
        if len(wrong):
            raise GermaneError(
                f"the score of item code {items[wrong[0]]} is {scores[wrong[0]]} ({len(wrong)} of {len(scores)} are no finite numbers): "
                "leave out what may not be shown instead of scoring it -inf; NaN means that the model's training broke."
            )
        object.__setattr__(self, "items", items)
        object.__setattr__(self, "scores", scores)

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True)
class Choice:
    """Places of a slate, top first: which candidates, and the chance of each given those above it."""

    places: NDArray[np.int64]
    """[n] positions in ``Scored.items``."""
    propensities: NDArray[np.float64]
    """[n]"""


class Policy(Component, ABC):
    """Draw a slate from scored candidates, and say how likely each place was."""

    propensity_kind: PropensityKind = "exact"

    @abstractmethod
    def choose(self, scored: Scored, n: int, rng: np.random.Generator) -> Choice:
        """``min(n, candidates)`` different candidates in order."""

    @abstractmethod
    def chance(self, scored: Scored, places: NDArray[np.int64]) -> NDArray[np.float64]:
        """[n] the propensity that this policy would have stated for each of these places, given those above."""

    def update(self, feedback: Sequence[Feedback]) -> None:
        """Learn from what came back. Policies that do not learn take it in silence."""
