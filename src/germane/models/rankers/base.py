"""The contract of a second model: candidates go in, their new scores come out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...component import Component
from ..candidate_features import Candidates

__all__ = ["Lessons", "Ranker", "likeliest_weight"]


@dataclass(frozen=True)
class Lessons:
    """Queries with their candidates, and what was taken."""

    pairs: Candidates
    targets: Tensor
    """[B] the place of what was taken; -1 = it is not among the candidates."""
    weights: Tensor
    """[B] of the events."""
    users: NDArray[np.int64]
    """[B]"""

    def __len__(self) -> int:
        return len(self.targets)

    def only(self, mask: Tensor) -> Lessons:
        """Those of them, [B] bool."""
        return replace(
            self, pairs=self.pairs[mask.nonzero().ravel()], targets=self.targets[mask], weights=self.weights[mask], users=self.users[mask.numpy()]
        )

    def found(self) -> Lessons:
        """Those whose target is among the candidates."""
        return self.only(self.targets >= 0)

    def ndcg(self, scores: Tensor) -> float:
        """NDCG@10 of ``scores`` [B, K], mean per user, then over users. What is no candidate counts 0, and ties count against the target."""
        own = scores.gather(1, self.targets.clamp(min=0)[:, None])
        rank = ((scores >= own) & self.pairs.there).sum(1).numpy()
        gain = np.where((rank <= 10) & (self.targets.numpy() >= 0), 1 / np.log2(rank.clip(min=1) + 1), 0.0)
        counts = np.bincount(self.users)
        return float((np.bincount(self.users, gain)[counts > 0] / counts[counts > 0]).mean()) if len(self) else 0.0


class Ranker(Component, ABC):
    """Orders a first model's candidates anew. Begins with the first model's order and learns where it is wrong; before it learns, it keeps it.

    Sizes are those of the lessons, or of the state that is loaded: it is not prepared.
    """

    def check(self) -> None:
        """Refuse, in a sentence, to learn where something is missing. Asked before anything is trained."""

    @abstractmethod
    def learn(self, taught: Lessons, aside: Lessons, seed: int) -> int:
        """Learn anew from ``taught``, and stop when ``aside`` is ordered best. All targets are found. Returns how many rounds were best, from 1."""

    @abstractmethod
    def score(self, pairs: Candidates) -> Tensor:
        """[B, K]; any where nothing is there. A candidate's score depends on no other one."""

    @abstractmethod
    def state(self) -> dict[str, Tensor]: ...

    @abstractmethod
    def load_state(self, state: dict[str, Tensor]) -> None: ...


def likeliest_weight(lessons: Lessons) -> float:
    """What the first model's standardised score is to be multiplied with, so that by a softmax over the candidates what was taken is likeliest.

    Never below a hundredth: the first model's order is kept.
    """
    first = lessons.pairs.first.masked_fill(~lessons.pairs.there, -1e9)
    tried = torch.logspace(-2, 1.3, 34)
    losses = [float((torch.nn.functional.cross_entropy(w * first, lessons.targets, reduction="none") * lessons.weights).sum()) for w in tried]
    return float(tried[int(np.argmin(losses))])
