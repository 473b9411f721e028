"""What past events were worth to their user."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from ...data.dataset import Dataset

__all__ = ["ValueEncoder"]


class ValueEncoder(nn.Module):
    """A value, such as a rating, against the usual one, as a vector; unknown values are zero."""

    mean: Tensor
    spread: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("spread", torch.ones(()))
        self.out = nn.Linear(3, width, bias=False)

    def fit(self, dataset: Dataset) -> None:
        values = dataset.events["value"].drop_nulls()
        if len(values) > 1:
            self.mean.fill_(float(values.mean()))  # type: ignore[arg-type]
            self.spread.fill_(max(float(values.std()), 1e-6))  # type: ignore[arg-type]

    def forward(self, values: Tensor) -> Tensor:
        """[...] with NaN for unknown -> [..., width]"""
        there = ~values.isnan()
        z = torch.where(there, (values - self.mean) / self.spread, 0.0).clamp(-5, 5)
        return cast(Tensor, self.out(torch.stack([z, z.square() * there, there.float()], dim=-1)))
