"""Categories: one code for each value that training saw."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from ..component import Options
from ..data.tables import spelled
from ..data.truths import SPELT_ALIKE, spellings
from .base import Encoded, Feature

__all__ = ["Categories", "CategoriesOptions"]

FEW = 1024
"""Rows up to which values are looked up one by one."""
_WHOLE = re.compile(r"[+-]?[0-9]+(?:\.0+)?")


class CategoriesOptions(Options):
    min_count: int = Field(default=1, ge=1)
    """Values seen less often share the code of missing values."""
    max_values: int = Field(default=8, ge=1)
    """How many values of a several-valued cell are read."""


class Categories(Feature):
    """Weather, device, genre: any column of names; cells may hold several.

    A value never seen in training counts as missing. Prefer ``Numbers`` where distance between values means something.

    >>> frame = pl.DataFrame({"weather": ["rain", "sun", "rain", None]})
    >>> weather = Categories()
    >>> weather.fit(frame, ["weather"], {})
    >>> weather.encode(frame).codes.ravel().tolist()
    [1, 2, 1, 0]
    """

    options: CategoriesOptions

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.values: dict[str, list[str]] = {}
        self.counts: dict[str, list[int]] = {}
        self.slots: dict[str, int] = {}
        self._indices: dict[str, dict[str, int]] = {}

    @classmethod
    def columns(cls, types: Mapping[str, str]) -> list[str]:
        return [name for name, kind in types.items() if kind in ("category", "categories")]

    def fit(self, frame: pl.DataFrame, names: Sequence[str], separators: Mapping[str, str]) -> None:
        self._indices = {}
        for name in names:
            column = frame[name]
            several = column.dtype == pl.List
            self.slots[name] = min(self.options.max_values, int(column.list.len().max() or 1)) if several else 1  # type: ignore[arg-type]
            flat = (column.explode() if several else column).cast(pl.String).drop_nulls().alias("value")
            counted = flat.value_counts().sort(["count", "value"], descending=[True, False])
            counted = counted.filter(pl.col("count") >= self.options.min_count)
            self.values[name] = counted["value"].to_list()
            self.counts[name] = counted["count"].to_list()

    @property
    def size(self) -> int:
        return sum(len(values) for values in self.values.values())

    @property
    def shape(self) -> tuple[int, int]:
        return sum(self.slots.values()), 0

    def encode(self, frame: pl.DataFrame) -> Encoded:
        codes = np.zeros((frame.height, self.shape[0]), dtype=np.int64)
        place = offset = 0
        for name, values in self.values.items():
            slots = self.slots[name]
            if name in frame.columns and values and frame[name].dtype != pl.Null:
                own = self._coded(name, frame[name], slots)
                codes[:, place : place + slots] = np.where(own > 0, own + offset, 0)
            place, offset = place + slots, offset + len(values)
        return Encoded(codes, np.zeros((frame.height, 0), dtype=np.float32))

    def _coded(self, name: str, column: pl.Series, slots: int) -> NDArray[np.int64]:
        """[rows, slots] the place of each value in the vocabulary, from 1; 0 = missing or never seen."""
        index, codes = self._index(name), np.zeros((len(column), slots), dtype=np.int64)
        if len(column) <= FEW and column.dtype in (pl.String, pl.List(pl.String)):  # a request: a look-up costs less than a query plan
            for row, cell in enumerate(column.to_list()):
                for slot, value in enumerate(cell[:slots] if isinstance(cell, list) else [cell]):
                    codes[row, slot] = index.get(value, 0)
            return codes
        parts = [column.list.get(slot, null_on_oob=True) for slot in range(slots)] if column.dtype == pl.List else [column]
        for slot, part in enumerate(parts):
            coded = part.cast(pl.String).replace_strict(list(index), list(index.values()), default=0, return_dtype=pl.Int64)
            codes[:, slot] = coded.fill_null(0).to_numpy()
        return codes

    def _index(self, name: str) -> dict[str, int]:
        if name not in self._indices:
            index = {value: code for code, value in enumerate(self.values[name], 1)}
            if all(value.lower() in SPELT_ALIKE for value in index):
                index = {spelling: code for value, code in index.items() for spelling in spellings(value)} | index
            elif all(_WHOLE.fullmatch(value) for value in index):  # 5.0 is what pandas writes of 5 where a column has gaps
                stems = {value.partition(".")[0]: code for value, code in index.items()}
                index = stems | {f"{stem}.0": code for stem, code in stems.items()} | index
            self._indices[name] = index
        return self._indices[name]

    def known(self) -> dict[str, dict[str, Any]]:
        return {
            name: {"type": "category", "values": [{"value": v, "count": c} for v, c in zip(values, self.counts[name], strict=True)]}
            for name, values in self.values.items()
        }

    def unknown(self, name: str, value: object) -> bool:
        given = value if isinstance(value, list | tuple) else [value]
        return any(v is not None and spelled(v) not in self._index(name) for v in given)

    def vocabulary(self) -> dict[str, Any]:
        return {"values": self.values, "counts": self.counts, "slots": self.slots}

    def load_vocabulary(self, vocabulary: Mapping[str, Any]) -> None:
        self._indices = {}
        self.values, self.counts, self.slots = dict(vocabulary["values"]), dict(vocabulary["counts"]), dict(vocabulary["slots"])
