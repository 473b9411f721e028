"""Scores to losses."""

from .base import Objective, RankingLoss
from .negatives import taken_before
from .ranking import full_softmax, sampled

__all__ = ["Objective", "RankingLoss", "full_softmax", "sampled", "taken_before"]
