"""Which clicks converted, and what of it is known when, against a plain loop over events."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest

from germane.data import ByTime, Dataset, LeaveLastOut, NoSplit
from germane.data.conversions import closed, known_in_training
from germane.errors import ConfigError, DataError

DAY = 86_400.0
RULE = {"of": "click", "by": "buy", "within": 5}
COLUMNS = {"time": "time", "kind": "kind"}


def log(seed: int = 0, n: int = 600) -> pl.DataFrame:
    """Six users and five items, at whole hours of 20 days, so that equal times are common."""
    rng = np.random.default_rng(seed)
    kinds = rng.choice(["view", "click", "buy"], n, p=[0.3, 0.5, 0.2])
    times = rng.integers(0, 20 * 24, n) * 3600.0
    names = {"user": [f"u{u}" for u in rng.integers(0, 6, n)], "item": [f"i{i}" for i in rng.integers(0, 5, n)]}
    return pl.DataFrame({**names, "kind": kinds, "time": times})


def read(events: Any, rules: Any = None, **columns: str) -> Dataset:
    return Dataset.from_frames(events, columns={**COLUMNS, **columns}, rules={"conversion": RULE, **(rules or {})})


def looped(dataset: Dataset, until: float) -> list[tuple[bool | None, float | None]]:
    """(converted, waited) of each event, as known at ``until``."""
    rows = dataset.events.to_dicts()
    out: list[tuple[bool | None, float | None]] = []
    for row in rows:
        if row["kind"] != "click" or row["time"] > until:
            out.append((None, None))
            continue
        same = [other["time"] for other in rows if other["kind"] == "buy" and (other["user"], other["item"]) == (row["user"], row["item"])]
        later = [time - row["time"] for time in same if row["time"] <= time <= min(until, row["time"] + 5 * DAY)]
        watched = until - row["time"]
        out.append((True, min(later)) if later else (False, watched if watched < 5 * DAY else math.inf))
    return out


def told(dataset: Dataset) -> list[tuple[bool | None, float | None]]:
    found = dataset.events.select(converted="converted", waited=pl.when(pl.col("converted").is_not_null()).then("waited"))
    return list(found.iter_rows())


@pytest.mark.parametrize("seed", range(3))
def test_a_click_converts_by_the_next_purchase_within_the_window(seed: int) -> None:
    dataset = read(log(seed))
    assert told(dataset) == looped(dataset, float(dataset.times.max()))
    assert {found for found, _ in told(dataset)} == {True, False, None}


@pytest.mark.parametrize("seed", range(3))
def test_training_knows_what_had_happened_by_its_end(seed: int) -> None:
    dataset = read(log(seed))
    split = ByTime(validation=0.2, test=0.2).divide(dataset)
    end = float(dataset.times[split.train].max())
    known = known_in_training(dataset, split)
    assert told(known) == looped(dataset, end)
    assert told(known_in_training(dataset, NoSplit().divide(dataset))) == told(dataset)
    # nothing that comes later is in it: the same log without its later purchases tells the same
    shorter = read(log(seed).filter((pl.col("kind") != "buy") | (pl.col("time") <= end)))
    rows = split.train
    assert told(known_in_training(shorter, ByTime(validation=0, test_from=end + 1).divide(shorter)).take(rows)) == told(known.take(rows))


def test_with_users_last_events_held_out_training_knows_each_user_up_to_them() -> None:
    events = pl.DataFrame(
        {
            "user": list("aaaabbccc"),
            "item": list("xyxzxxxyz"),
            "kind": ["click", "view", "buy", "view", "click", "buy", "view", "view", "view"],
            "time": [0.0, DAY, 2 * DAY, 3 * DAY, 0.0, DAY, 4 * DAY, 4 * DAY, 4 * DAY],
        }
    )
    dataset = read(events)
    for validation, expected in ((1, [(False, 2 * DAY), (False, DAY)]), (0, [(True, 2 * DAY), (False, DAY)])):
        known = known_in_training(dataset, LeaveLastOut(validation=validation).divide(dataset))
        clicks = known.events.filter(kind="click").sort("user")
        assert clicks["converted"].to_list() == [converted for converted, _ in expected]
        assert clicks["waited"].to_list() == pytest.approx([waited for _, waited in expected])


def test_only_clicks_whose_window_has_passed_are_judged() -> None:
    dataset = read(log())
    judged = closed(dataset).events["converted"].is_not_null().to_numpy()
    clicks = (dataset.events["kind"] == "click").to_numpy()
    assert (judged == (clicks & (dataset.times <= dataset.times.max() - 5 * DAY))).all() and judged.any()
    plain = Dataset.from_frames(log(), columns=COLUMNS)
    assert closed(plain) is plain and "converted" not in plain.events.columns


def test_what_was_shown_and_not_taken_is_no_click_and_no_purchase() -> None:
    events = {"user": list("aabb"), "item": list("xxxx"), "kind": ["click", "buy"] * 2, "time": [0, 10, 20, 30], "label": [0, 1, 1, 0]}
    assert read(pl.DataFrame(events), label="label").events["converted"].to_list() == [None, None, False, None]


def test_the_first_purchase_ends_the_wait_where_only_the_last_is_kept() -> None:
    events = {"user": list("aaab"), "item": list("xxxy"), "kind": ["click", "buy", "buy", "click"], "time": [0.0, 100.0, 200.0, 300.0]}
    dataset = read(pl.DataFrame(events), {"duplicates": "last"})
    assert len(dataset) == 3 and dataset.events["waited"][0] == 100.0


def test_clicks_that_may_convert_are_held_out_where_another_kind_is_the_target() -> None:
    dataset = read(log(), {"target": "buy"})
    held = dataset.events["kind"].gather(ByTime().divide(dataset).test)
    assert set(held) == {"click", "buy"}


def test_rules_that_cannot_be_followed() -> None:
    with pytest.raises(ConfigError, match=r"conversion = .*of and by should be two kinds, and both are 'buy'"):
        read(log(), {"conversion": {"of": "buy", "by": "buy", "within": 3}})
    with pytest.raises(ConfigError, match=r"conversion.within = 0: should be greater than 0"):
        read(log(), {"conversion": {**RULE, "within": 0}})
    with pytest.raises(ConfigError, match=r"no option 'conversion.days'; its options are of, by, within"):
        read(log(), {"conversion": {**RULE, "days": 3}})
    with pytest.raises(DataError, match=r"conversion by = 'byu': no event is of that kind; kinds are buy, click, view. Did you mean buy\?"):
        read(log(), {"conversion": {**RULE, "by": "byu"}})
    with pytest.raises(DataError, match=r"conversion asks how long it takes: name the column of times"):
        Dataset.from_frames(log(), columns={"kind": "kind"}, rules={"conversion": RULE})
    with pytest.raises(DataError, match=r"kinds, target and conversion speak of the kind of an event"):
        Dataset.from_frames(log(), columns={"time": "time"}, rules={"conversion": RULE})
