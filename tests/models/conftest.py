from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl
import pytest
import torch

from germane.data import Dataset, NoSplit
from germane.encoders import HashedText
from germane.jobs.train import fit
from germane.models import Model
from germane.recommender import Recommender
from germane.training import TrainingOptions
from germane.types import Query

EVENTS = {"user": list("aabbcc"), "item": ["v", "w", "v", "w", "v", "x"], "time": [1, 2, 3, 4, 5, 6]}
"""Three users took v; two of them took w as well and one x."""
ITEMS = pl.DataFrame({"item": ["v", "w", "x", "nobody's"], "title": ["red boots", "red shoes", "blue hat", "blue boots"]})


class Tiny:
    """A model fitted on six events, or on those given, and asked by item ids."""

    def __init__(self, model: Model, events: Mapping[str, Any] = EVENTS, seed: int = 0, **meaning: Any) -> None:
        columns = {"time": "time", "text": ["title"], **meaning.pop("columns", {})}
        self.dataset = Dataset.from_frames(events, ITEMS, columns=columns, **meaning)
        self.model = model
        self.shop = Recommender(model, text=HashedText(width=32), features=(), seed=seed)
        fit(self.shop, self.dataset, NoSplit().divide(self.dataset), TrainingOptions())
        self.shop.remember(self.dataset)

    def scores(self, history: Sequence[str] | None = None, user: str | None = None) -> dict[str, float]:
        with torch.inference_mode():
            row = self.model.score(self.shop.batch([Query(user=user, history=tuple(history) if history is not None else None)]))[0]
        return dict(zip(self.dataset.items["id"], row.tolist()))


@pytest.fixture
def tiny() -> Callable[..., Tiny]:
    return Tiny
