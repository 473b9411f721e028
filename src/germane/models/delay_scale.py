"""The unit in which a model tells how long conversions take, and where it begins."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..data.dataset import Dataset
from ..losses import conversion_loss

__all__ = ["DelayScale"]


class DelayScale(nn.Module):
    """A rate of 1 is one conversion in the mean delay of those that training knows, so that rates begin at 1 whether sales take minutes or weeks."""

    unit: Tensor
    start: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("unit", torch.ones(()))
        self.register_buffer("start", torch.zeros(()))
        self.usual = nn.Parameter(torch.zeros(()))  # log rate of a click of which nothing else is known

    def fit(self, dataset: Dataset) -> None:
        """Take the ``unit`` in seconds, and ``start``: the logit of the share that has converted so far. ``dataset``: as training knows it."""
        clicks = dataset.events.select("converted", "waited").drop_nulls()
        happened = clicks.filter("converted")
        share = min(max(happened.height / max(clicks.height, 1), 1e-4), 1 - 1e-4)
        mean = float(happened["waited"].mean() or 0.0)  # type: ignore[arg-type]
        self.unit = torch.tensor(max(mean, 1.0), device=self.unit.device)
        self.start = torch.tensor(math.log(share / (1 - share)), device=self.start.device)

    def loss(self, logits: Tensor, log_rates: Tensor, converted: Tensor, waited: Tensor, weights: Tensor) -> Tensor:
        """``conversion_loss`` of the rows [rows] that are clicks; ``waited`` in seconds."""
        there = ~converted.isnan()
        return conversion_loss(logits[there], log_rates[there] + self.usual, converted[there], waited[there] / self.unit, weights[there])
