"""Scores to losses."""

from .base import HEADS, Head, Objective, RankingLoss, RatingLoss
from .click import click_loss
from .conversion import conversion_loss
from .draws import in_common, of_their_own, step_draws
from .negatives import drawn_beside, taken_before
from .next_item import next_item
from .ranking import full_softmax, sampled, weighted_mean
from .rating import as_rating, first_cuts, rating_loss

__all__ = [
    "HEADS",
    "Head",
    "Objective",
    "RankingLoss",
    "RatingLoss",
    "as_rating",
    "click_loss",
    "conversion_loss",
    "drawn_beside",
    "first_cuts",
    "full_softmax",
    "in_common",
    "next_item",
    "of_their_own",
    "rating_loss",
    "sampled",
    "step_draws",
    "taken_before",
    "weighted_mean",
]
