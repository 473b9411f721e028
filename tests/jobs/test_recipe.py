from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from germane.config import Config
from germane.jobs.guess import guess
from germane.jobs.recipe import Recipe, recipe


def made(events: pl.DataFrame, **tables: pl.DataFrame) -> Recipe:
    every = {"events": events, **tables}
    return recipe(guess(events, tables.get("items"), tables.get("users")), every, {name: f"{name}.csv" for name in every})


def shop(users: int, per_user: int, items: int, **more: Any) -> pl.DataFrame:
    rows = [
        (f"u{user}", f"i{(user * 7 + step * 3) % items}", 1_700_000_000 + 60 * user + 7 * step) for user in range(users) for step in range(per_user)
    ]
    frame = pl.DataFrame(rows, schema=["user", "item", "time"], orient="row")
    return frame.with_columns(**{name: pl.Series([values[n % len(values)] for n in range(frame.height)]) for name, values in more.items()})


def test_size_decides_width_batch_and_epochs() -> None:
    small, large = made(shop(50, 6, 40)).sections, made(shop(1000, 25, 40)).sections
    assert (small["model"]["width"], small["training"]["batch"], small["training"]["epochs"]) == (32, 16, 40)
    assert (large["model"]["width"], large["training"]["batch"], large["training"]["epochs"]) == (64, 32, 30)
    assert small["model"]["blocks"] == 1 and large["model"]["blocks"] == 2  # histories are short, or long


def test_the_number_of_items_decides_the_loss() -> None:
    assert "loss" not in made(shop(50, 6, 40)).sections["training"]
    many = made(shop(800, 6, 4000)).sections["training"]
    assert many["loss"] == "sampled_softmax" and many["negatives"] == 2048


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"weather": ["sun", "rain", "snow"]}, "Context weather"),
        ({"rating": [1, 3, 5]}, "Values rating"),
        ({"clicked": [0, 1]}, "Labels"),
        ({"query": ["red shoes", "blue hat", "green"]}, "Typed words"),
    ],
)
def test_what_the_tables_hold_is_said_and_used(more: dict[str, Any], says: str) -> None:
    found = made(shop(60, 6, 40, **more))
    assert any(line.startswith(says) for line in found.why)
    config = Config.of(found.sections, Path())
    assert ("click" in config.training.objective(config.model).heads) == ("clicked" in more)


def test_times_decide_the_split_and_repeats_what_may_be_shown() -> None:
    timed, timeless = made(shop(50, 6, 40)), made(shop(50, 6, 40).drop("time"))
    assert timed.sections["split"]["use"] == "ByTime" and timeless.sections["split"]["use"] == "LeaveLastOut"
    again = made(pl.concat([shop(50, 6, 40), shop(50, 6, 40)]))
    assert again.sections["evaluation"]["exclude_seen"] is False and any(line.startswith("50% of the events") for line in again.why)


def test_no_reason_breaks_its_line() -> None:
    found = made(shop(60, 6, 40).with_columns(pl.Series("odd\nname", ["a" if n % 3 else "b" for n in range(360)])))
    assert all("\n" not in line for line in found.why)
