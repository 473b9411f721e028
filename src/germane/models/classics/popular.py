"""Popularity, overall and lately."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ...batches import QueryBatch
from ...component import Options
from ...data.dataset import Dataset
from ...encoders import ItemContent
from ...features import FeatureSet
from ...search_space import Searched
from ..base import Counted

__all__ = ["Popular", "PopularLately", "PopularLatelyOptions"]


class Popular(Counted):
    """The same list for everyone: how much was taken in training. The first baseline; prefer ``PopularLately`` where times exist."""

    options: Options

    def prepare(self, dataset: Dataset, content: ItemContent, features: FeatureSet) -> None:
        self.counts = torch.zeros(content.n_items)

    def fit(self, dataset: Dataset) -> None:
        counts = np.bincount(dataset.item_codes, weights=self._weights(dataset), minlength=len(self.counts))
        self.counts = torch.from_numpy(counts).float()

    def _weights(self, dataset: Dataset) -> np.ndarray:
        return np.asarray(dataset.events["weight"].to_numpy() * dataset.events["positive"].to_numpy(), dtype=np.float64)

    def score(self, queries: QueryBatch, items: Tensor | None = None) -> Tensor:
        if items is None or items.ndim == 1:
            row = self.counts if items is None else self.counts[items]
            return row.expand(len(queries), -1)
        return self.counts[items]

    def add_items(self, content: ItemContent) -> None:
        self.counts = torch.cat([self.counts, torch.zeros(content.n_items - len(self.counts))])

    def state(self) -> dict[str, Tensor]:
        return {"counts": self.counts.contiguous()}

    def load_state(self, state: dict[str, Tensor]) -> None:
        self.counts = state["counts"]


class PopularLatelyOptions(Options):
    days: Annotated[float, Searched(1.0, 365.0, log=True)] = Field(default=30.0, gt=0)
    """How far back from the newest training event counts; without times, that share of 365 of the events."""


class PopularLately(Popular):
    """What was taken in the last days of training: on drifting catalogues a hard baseline to beat."""

    options: PopularLatelyOptions

    def _weights(self, dataset: Dataset) -> np.ndarray:
        weights = super()._weights(dataset)
        times = dataset.times
        if not len(times):
            return weights
        reach = self.options.days * 86_400 if dataset.has_times else self.options.days / 365 * len(times)
        recent = times >= times.max() - reach
        # Ties among items outside the window are broken by overall popularity.
        return np.asarray(weights * (recent + 1e-6))
