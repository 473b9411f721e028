"""Scores to losses."""

from .base import Objective, RankingLoss
from .negatives import taken_before
from .next_item import next_item
from .ranking import full_softmax, sampled

__all__ = ["Objective", "RankingLoss", "full_softmax", "next_item", "sampled", "taken_before"]
