"""Place: latitude and longitude as a point on the globe and as cells of two sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from ..component import Options
from .base import Encoded, Feature

__all__ = ["Place", "PlaceOptions"]


class PlaceOptions(Options):
    cells: tuple[float, ...] = (1.0, 0.1)
    """Edge of the cells in degrees, one code each; 0.1 degrees are some 11 km."""
    min_count: int = Field(default=2, ge=1)
    """Cells with fewer training events count as unknown."""


class Place(Feature):
    """Where: a point on the unit sphere (no seam at the date line) and the cells it lies in. One column of cells is ``Categories``' work.

    >>> frame = pl.DataFrame({"lat": [48.85, 48.86, None], "lon": [2.35, 2.36, 2.0]})
    >>> place = Place(cells=(1.0,))
    >>> place.fit(frame, ["lat", "lon"], {})
    >>> place.encode(frame).codes.ravel().tolist()
    [1, 1, 0]
    """

    options: PlaceOptions

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.names: list[str] = []
        self.vocabularies: list[list[str]] = []
        self.ranges: list[tuple[float, float]] = []

    @classmethod
    def columns(cls, types: Mapping[str, str]) -> list[str]:
        return [name for name, kind in types.items() if kind == "place"]

    def fit(self, frame: pl.DataFrame, names: Sequence[str], separators: Mapping[str, str]) -> None:
        self.names = list(names)
        points = self._points(frame)
        there = np.isfinite(points).all(axis=1)
        self.vocabularies = []
        for edge in self.options.cells:
            cells, counts = np.unique(self._cells(points[there], edge), return_counts=True)
            self.vocabularies.append([str(cell) for cell in cells[counts >= self.options.min_count]])
        shown = points[there] if there.any() else np.zeros((1, 2))
        self.ranges = [(float(c.min()), float(c.max())) for c in shown.T]

    @property
    def size(self) -> int:
        return sum(len(cells) for cells in self.vocabularies)

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.options.cells), 4

    @property
    def told_by(self) -> tuple[list[int], list[int]]:
        codes, dense = self.shape
        return [0] * codes, [0] * dense

    def encode(self, frame: pl.DataFrame) -> Encoded:
        points = self._points(frame)
        there = np.isfinite(points).all(axis=1) & (np.abs(np.nan_to_num(points[:, 0])) <= 90) & (np.abs(np.nan_to_num(points[:, 1])) <= 360)
        points = np.where(there[:, None], points, 0.0)
        latitude, longitude = np.radians(points.T)
        sphere = [np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude), np.ones(len(points))]
        dense = np.stack(sphere, axis=1) * there[:, None]
        codes, offset = [], 1
        for edge, vocabulary in zip(self.options.cells, self.vocabularies, strict=True):
            known = np.array(vocabulary, dtype=np.str_)
            cells = self._cells(points, edge)
            at = np.searchsorted(known, cells) if len(known) else np.zeros(len(cells), dtype=np.int64)
            found = (known[np.minimum(at, len(known) - 1)] == cells) if len(known) else np.zeros(len(cells), dtype=bool)
            codes.append(np.where(found & there, at + offset, 0))
            offset += len(vocabulary)
        coded = np.stack(codes, axis=1).astype(np.int64) if codes else np.zeros((len(points), 0), dtype=np.int64)
        return Encoded(coded, dense.astype(np.float32))

    def known(self) -> dict[str, dict[str, Any]]:
        return {name: {"type": "number", "low": low, "high": high} for name, (low, high) in zip(self.names, self.ranges, strict=True)}

    def unknown(self, name: str, value: object) -> bool:
        """Whether it lies on no globe."""
        return not abs(float(value)) <= (90 if name == self.names[0] else 360)  # type: ignore[arg-type]

    def vocabulary(self) -> dict[str, Any]:
        return {"names": self.names, "cells": self.vocabularies, "ranges": self.ranges}

    def load_vocabulary(self, vocabulary: Mapping[str, Any]) -> None:
        self.names, self.vocabularies = list(vocabulary["names"]), [list(cells) for cells in vocabulary["cells"]]
        self.ranges = [(low, high) for low, high in vocabulary["ranges"]]

    def _points(self, frame: pl.DataFrame) -> NDArray[np.float64]:
        columns = [
            frame[name].cast(pl.Float64, strict=False).to_numpy() if name in frame.columns else np.full(frame.height, np.nan) for name in self.names
        ]
        return np.stack(columns, axis=1)

    @staticmethod
    def _cells(points: NDArray[np.float64], edge: float) -> NDArray[np.str_]:
        grid = np.floor(points / edge).astype(np.int64)
        return np.array([f"{a}:{b}" for a, b in grid], dtype=np.str_)
