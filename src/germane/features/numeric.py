"""Numbers: standardised, with a flag that tells missing from zero."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from pydantic import Field

from ..component import Options
from .base import Encoded, Feature

__all__ = ["Numbers", "NumbersOptions"]


HUGE = 1e100
"""From here on numbers are made smaller before they are squared."""


class NumbersOptions(Options):
    clip: float = Field(default=5.0, gt=0)
    """Values further than this many standard deviations from the mean are pulled back to it."""


class Numbers(Feature):
    """Temperature, price, age: any column of numbers. Two dense columns each: the standardised value and whether it is there.

    >>> frame = pl.DataFrame({"degrees": [10.0, 30.0, None]})
    >>> degrees = Numbers()
    >>> degrees.fit(frame, ["degrees"], {})
    >>> degrees.encode(frame).dense.tolist()
    [[-1.0, 1.0], [1.0, 1.0], [0.0, 0.0]]
    """

    options: NumbersOptions

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.scales: dict[str, dict[str, float]] = {}

    @classmethod
    def columns(cls, types: Mapping[str, str]) -> list[str]:
        return [name for name, kind in types.items() if kind == "number"]

    def fit(self, frame: pl.DataFrame, names: Sequence[str], separators: Mapping[str, str]) -> None:
        for name in names:
            values = frame[name].cast(pl.Float64).drop_nulls().drop_nans()
            numbers = values.to_numpy() if len(values) else np.zeros(1)
            unit = max(1.0, float(np.abs(numbers).max()) / HUGE)  # squares of larger ones would be no numbers any more
            mean, deviation = float((numbers / unit).mean() * unit), float((numbers / unit).std() * unit)
            self.scales[name] = {
                "mean": mean,
                "deviation": deviation if deviation > 1e-12 else 1.0,
                "low": float(numbers.min()),
                "high": float(numbers.max()),
            }

    @property
    def size(self) -> int:
        return 0

    @property
    def shape(self) -> tuple[int, int]:
        return 0, 2 * len(self.scales)

    @property
    def told_by(self) -> tuple[list[int], list[int]]:
        return [], [place // 2 for place in range(self.shape[1])]  # a number and its flag

    def encode(self, frame: pl.DataFrame) -> Encoded:
        dense = np.zeros((frame.height, 2 * len(self.scales)), dtype=np.float32)
        for place, (name, scale) in enumerate(self.scales.items()):
            if name in frame.columns:
                values = frame[name].cast(pl.Float64, strict=False).to_numpy()
                there = np.isfinite(values)
                with np.errstate(over="ignore"):  # what is beyond all numbers is pulled back like the rest
                    standard = (np.where(there, values, 0.0) - scale["mean"]) / scale["deviation"]
                dense[:, 2 * place] = np.where(there, np.clip(standard, -self.options.clip, self.options.clip), 0.0)
                dense[:, 2 * place + 1] = there
        return Encoded(np.zeros((frame.height, 0), dtype=np.int64), dense)

    def known(self) -> dict[str, dict[str, Any]]:
        return {name: {"type": "number", "low": s["low"], "high": s["high"]} for name, s in self.scales.items()}

    def vocabulary(self) -> dict[str, Any]:
        return {"scales": self.scales}

    def load_vocabulary(self, vocabulary: Mapping[str, Any]) -> None:
        self.scales = dict(vocabulary["scales"])
