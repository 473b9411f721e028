from __future__ import annotations

from pathlib import Path

import pytest

import germane
from germane.encoders import HashedText
from germane.models import ContextTransformer
from germane.policies import EpsilonGreedy
from germane.recommender import Recommender
from germane.testing.model_contract import small_shop
from germane.training import TrainingOptions


@pytest.fixture(scope="session")
def trained() -> Recommender:
    model = ContextTransformer(width=16, blocks=1, length=10, text_width=8)
    recommender = Recommender(model, text=HashedText(width=32), policy=EpsilonGreedy(epsilon=0.5), seed=4)
    return germane.train(recommender, small_shop(), training=TrainingOptions(epochs=1))


@pytest.fixture(scope="session")
def run(trained: Recommender, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return germane.save(trained, tmp_path_factory.mktemp("runs") / "shop")
