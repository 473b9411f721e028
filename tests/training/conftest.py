from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from germane.batches import Timelines
from germane.encoders import HashedText
from germane.models import TwoSided
from germane.recommender import Recommender
from germane.testing.model_contract import small_shop


@pytest.fixture
def ready() -> Callable[[TwoSided], tuple[Recommender, Timelines]]:
    """What makes a recommender of a model's kind and options, before its first step on a small shop, and the stretches that it learns from."""

    def made(model: TwoSided) -> tuple[Recommender, Timelines]:
        dataset = small_shop()
        recommender = Recommender(type(model)(**model.settings()), text=HashedText(width=32))
        torch.manual_seed(0)
        recommender.prepare(dataset)
        recommender.model.warm(dataset, recommender.content)
        table = recommender.table(dataset)
        return recommender, Timelines(table, 12, 20)

    return made
