from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from germane.testing.model_contract import small_shop

TEXT = """
[data]
events = "events.csv"
items = "items.csv"
[data.columns]
user = "user"
item = "item"
time = "time"
context = ["weather", "degrees"]
text = ["title"]
[text]
use = "HashedText"
width = 32
"""
LEARNED = """
[model]
width = 8
blocks = 1
length = 10
text_width = 8
co_occurrence = 0.0
[training]
epochs = 3
warmup = 2
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Tables of a small shop."""
    dataset = small_shop()
    users, items = dataset.users["id"], dataset.items["id"]
    dataset.events.select(
        users.gather(dataset.events["user"]).alias("user"),
        items.gather(dataset.events["item"]).alias("item"),
        "time",
        pl.col("context:weather").alias("weather"),
        pl.col("context:degrees").alias("degrees"),
    ).write_csv(tmp_path / "events.csv")
    dataset.items.rename({"id": "item"}).write_csv(tmp_path / "items.csv")
    return tmp_path


@pytest.fixture
def learned(shop: Path) -> Callable[..., Path]:
    """A config of a small model that learns, with a ``[search]``."""

    def write(said: str, more: str = "") -> Path:
        path = shop / "shop.toml"
        path.write_text(f"{TEXT}{LEARNED}{more}\n[search]\n{said}\n")
        return path

    return write


@pytest.fixture
def counted(shop: Path) -> Callable[..., Path]:
    """A config of a counted model, whose trials take no time."""

    def write(said: str = "", model: str = 'use = "ItemNeighbours"') -> Path:
        path = shop / "counted.toml"
        path.write_text(f"{TEXT}[model]\n{model}\n[search]\n{said}\n")
        return path

    return write
