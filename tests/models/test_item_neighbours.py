from __future__ import annotations

import polars as pl
import pytest
import torch

from germane.data import Dataset, NoSplit
from germane.jobs.train import fit
from germane.models import ItemNeighbours
from germane.recommender import Recommender
from germane.training import TrainingOptions
from germane.types import Query

EVENTS = {"user": list("aabbcc"), "item": ["v", "w", "v", "w", "v", "x"], "time": [1, 2, 3, 4, 5, 6]}
ITEMS = pl.DataFrame({"item": ["v", "w", "x", "nobody's"]})


def scores(**options: float) -> dict[str, float]:
    """What follows from having taken v, which three took; two of them took w as well and one x."""
    dataset = Dataset.from_frames(EVENTS, ITEMS, columns={"time": "time"})
    shop = Recommender(ItemNeighbours(**options), features=())
    fit(shop, dataset, NoSplit().divide(dataset), TrainingOptions())
    with torch.inference_mode():
        row = shop.model.score(shop.batch([Query(history=("v",))]))[0]
    return dict(zip(dataset.items["id"], row.tolist()))


def test_cosines_by_hand() -> None:
    found = scores(shrink=0)
    assert found["w"] == pytest.approx(2 / (3**0.5 * 2**0.5), abs=1e-6)
    assert found["x"] == pytest.approx(1 / 3**0.5, abs=1e-6)
    assert found["v"] == 0  # no neighbour of itself
    assert found["nobody's"] == 0  # not 0/0


def test_shrinking_doubts_what_rests_on_little() -> None:
    found = scores(shrink=5)
    assert found["w"] == pytest.approx(2 / (6**0.5 + 5), abs=1e-6)
    assert found["x"] / scores(shrink=0)["x"] < found["w"] / scores(shrink=0)["w"]


def test_only_the_nearest_are_kept() -> None:
    assert scores(shrink=0, neighbours=1)["x"] == 0 < scores(shrink=0, neighbours=1)["w"]
