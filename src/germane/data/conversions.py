"""``[data.rules] conversion``: which clicks led to what they are for, and what of it is known when.

Two columns of the events say it: ``converted`` (null: no click, or nothing is known of it) and ``waited``, the seconds until it converted, or for
which it has been watched without; infinite where its window has passed. As read, they tell what is known at the newest event of all.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from .columns import Conversion
from .dataset import Dataset
from .splits import Split

__all__ = ["closed", "follow", "known_in_training"]

DAY = 86_400.0


def follow(events: pl.DataFrame, rule: Conversion) -> pl.DataFrame:
    """Events in order of time, with ``converted`` and ``waited``: a click has converted by the same user's next purchase of the same item."""
    taken = (pl.col("label") != 0).fill_null(True) if "label" in events.columns else pl.lit(True)
    clicks = events.with_row_index("#").filter((pl.col("kind") == rule.of) & taken).select("#", "user", "item", "time")
    bought = events.filter((pl.col("kind") == rule.by) & taken).select("user", "item", bought="time")
    keys = ["user", "item"]
    met = clicks.join_asof(bought, left_on="time", right_on="bought", by=keys, strategy="forward", coalesce=False, check_sortedness=False)
    delay, elapsed = pl.col("bought") - pl.col("time"), pl.lit(events["time"].max()) - pl.col("time")
    within = rule.within * DAY
    told = met.select("#", *_told(pl.when(delay <= within).then(delay), elapsed, within))
    return events.with_row_index("#").join(told, on="#", how="left", maintain_order="left").drop("#")


def known_in_training(dataset: Dataset, split: Split) -> Dataset:
    """The same, with nothing told of conversions later than what training may see: they are not yet, however long all data go on.

    Training sees what happened up to its newest event; with ``LeaveLastOut``, of each user only what came before the held-out events.
    """
    end = dataset.times[split.train].max(initial=-np.inf)
    until = np.full(dataset.n_users, end)
    if split.name == "leave-last-out":
        held = np.concatenate([split.validation, split.test])
        np.minimum.at(until, dataset.user_codes[held], np.nextafter(dataset.times[held], -np.inf))
    return _as_of(dataset, until[dataset.user_codes])


def closed(dataset: Dataset) -> Dataset:
    """The same, with nothing told of clicks whose window has not passed: those that converted already would count for more than they are."""
    rule = dataset.rules.conversion
    if rule is None or not len(dataset):
        return dataset
    passed = dataset.times.max() - dataset.times >= rule.within * DAY
    return replace(dataset, events=dataset.events.with_columns(converted=pl.when(pl.Series(passed)).then("converted")))


def _as_of(dataset: Dataset, until: NDArray[np.float64]) -> Dataset:
    """What was known at moments ``until`` [events]."""
    rule = dataset.rules.conversion
    assert rule is not None
    elapsed = pl.Series(until - dataset.times)
    there = pl.col("converted").is_not_null() & pl.lit(elapsed >= 0)
    converted, waited = _told(pl.when("converted").then("waited"), pl.lit(elapsed), rule.within * DAY)
    return replace(dataset, events=dataset.events.with_columns(pl.when(there).then(converted), pl.when(there).then(waited)))


def _told(delay: pl.Expr, elapsed: pl.Expr, within: float) -> tuple[pl.Expr, pl.Expr]:
    """``delay``: null where it does not convert."""
    converted = (delay <= elapsed).fill_null(False)
    waited = pl.when(converted).then(delay).when(elapsed >= within).then(np.inf).otherwise(elapsed)
    return converted.alias("converted"), waited.alias("waited")
