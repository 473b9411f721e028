"""Time: the hour and the weekday of the wall clock, and where the year stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from ..component import Options
from ..times import show
from .base import TIME, Encoded, Feature

__all__ = ["Time", "TimeOptions"]

DAY = 86_400.0
YEAR = 365.2425 * DAY


class TimeOptions(Options):
    hour: bool = True
    """Hour of the day: a code and a point on the circle."""
    weekday: bool = True
    """Day of the week: a code and a point on the circle."""
    season: bool | None = None
    """Day of the year as a point on the circle. Absent: only where training spans a year, so that every season was seen."""


class Time(Feature):
    """When: codes for hour and weekday, and their places on the circle, so that 23:00 and 0:00 are neighbours.

    The time since the user's last event is not here: models read it from ``QueryBatch.ages``.

    >>> frame = pl.DataFrame({"time": [0.0, 3600.0 * 25]})   # Thursday midnight, Friday one o'clock
    >>> when = Time()
    >>> when.fit(frame, ["time"], {})
    >>> when.encode(frame).codes.tolist()
    [[1, 28], [2, 29]]
    """

    options: TimeOptions

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.low = self.high = 0.0

    @classmethod
    def columns(cls, types: Mapping[str, str]) -> list[str]:
        return [TIME] if types.get(TIME) == "time" else []

    def fit(self, frame: pl.DataFrame, names: Sequence[str], separators: Mapping[str, str]) -> None:
        if frame.height:
            seconds = frame[TIME].to_numpy()
            self.low, self.high = float(np.nanmin(seconds)), float(np.nanmax(seconds))

    @property
    def _season(self) -> bool:
        return self.options.season if self.options.season is not None else self.high - self.low >= YEAR

    @property
    def size(self) -> int:
        return 24 * self.options.hour + 7 * self.options.weekday

    @property
    def shape(self) -> tuple[int, int]:
        return self.options.hour + self.options.weekday, 2 * (self.options.hour + self.options.weekday + self._season)

    def encode(self, frame: pl.DataFrame) -> Encoded:
        if TIME not in frame.columns:
            return Encoded(np.zeros((frame.height, self.shape[0]), dtype=np.int64), np.zeros((frame.height, self.shape[1]), dtype=np.float32))
        seconds = frame[TIME].cast(pl.Float64).to_numpy()
        there = np.isfinite(seconds)
        seconds = np.where(there, seconds, 0.0)
        hour = seconds % DAY / 3600
        weekday = (seconds // DAY + 3) % 7  # 1970-01-01 was a Thursday; Monday = 0
        codes, cycles = [], []
        if self.options.hour:
            codes.append(1 + hour.astype(np.int64))
            cycles.append(hour / 24)
        if self.options.weekday:
            codes.append(1 + 24 * self.options.hour + weekday.astype(np.int64))
            cycles.append((weekday + hour / 24) / 7)
        if self._season:
            cycles.append(seconds % YEAR / YEAR)
        angles = 2 * np.pi * np.stack(cycles, axis=1) if cycles else np.zeros((frame.height, 0))
        dense = np.concatenate([np.sin(angles), np.cos(angles)], axis=1) * there[:, None]
        coded = np.stack(codes, axis=1) * there[:, None] if codes else np.zeros((frame.height, 0), dtype=np.int64)
        return Encoded(coded, dense.astype(np.float32))

    def known(self) -> dict[str, dict[str, Any]]:
        return {TIME: {"type": "time", "low": show(self.low), "high": show(self.high)}}

    def vocabulary(self) -> dict[str, Any]:
        return {"low": self.low, "high": self.high}

    def load_vocabulary(self, vocabulary: Mapping[str, Any]) -> None:
        self.low, self.high = vocabulary["low"], vocabulary["high"]
