"""The scale of ratings: which there are, and how a model's number becomes one."""

from __future__ import annotations

import math

import polars as pl
import torch
from torch import Tensor, nn

from ..data.dataset import Dataset
from ..errors import DataError
from ..losses import RatingLoss, as_rating, first_cuts, rating_loss

__all__ = ["RatingScale", "levels_of"]

MANY = 50
"""More different ratings than this are a quantity and no scale of levels."""


def levels_of(values: pl.Series, kind: RatingLoss) -> Tensor:
    """The different ratings, ascending; an error where nothing can be learnt from them."""
    found = torch.tensor(values.drop_nulls().unique().sort().to_list(), dtype=torch.float32)
    if kind == "ordinal" and len(found) > MANY:
        raise DataError(f"rating_loss = 'ordinal': {len(found):,} different ratings are no levels; use mse, or bce on the scaled rating.")
    if len(found) < 2:
        told = float(found[0]) if len(found) else "missing"
        raise DataError(f"all ratings are {told}: a rating head needs at least two different ones among the training events; train without it.")
    return found


class RatingScale(nn.Module):
    """Levels from the training events, and the cuts between them that ``ordinal`` learns."""

    levels: Tensor
    start: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("levels", torch.tensor([0.0, 1.0]))
        self.register_buffer("start", torch.zeros(()))
        self.cuts = nn.Parameter(torch.zeros(1))

    def fit(self, dataset: Dataset, kind: RatingLoss) -> None:
        """Take the levels, and ``start``: the number that stands for the mean rating."""
        values = dataset.events["value"].drop_nulls()
        found = levels_of(values, kind)
        self.levels = (found if len(found) <= MANY else found[[0, -1]]).to(self.levels.device)
        above = torch.tensor([float((values > level).mean()) for level in self.levels[:-1].tolist()])  # shares of ratings
        self.cuts = nn.Parameter(first_cuts(above).to(self.levels.device))
        mean, low, high = float(values.mean()), float(self.levels[0]), float(self.levels[-1])  # type: ignore[arg-type]
        share = min(max((mean - low) / (high - low), 1e-3), 1 - 1e-3)
        start = {"mse": mean - (low + high) / 2, "bce": math.log(share / (1 - share)), "ordinal": 0.0}[kind]
        self.start = torch.tensor(start, device=self.levels.device)

    def loss(self, kind: RatingLoss, raw: Tensor, values: Tensor, weights: Tensor) -> Tensor:
        there = ~values.isnan()
        return rating_loss(kind, raw[there], values[there], weights[there], self.levels, self.cuts)

    def rating(self, kind: RatingLoss, raw: Tensor) -> Tensor:
        return as_rating(kind, raw, self.levels, self.cuts)

    def fit_to(self, state: dict[str, Tensor], prefix: str) -> None:
        """Make room for as many levels as were saved."""
        self.levels = torch.zeros_like(state[f"{prefix}levels"])
        self.cuts = nn.Parameter(torch.zeros_like(state[f"{prefix}cuts"]))
