"""The contract of a feature, and the set of features that turns a moment into tensors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..component import Component
from ..data.columns import ColumnType

__all__ = ["Encoded", "Feature", "FeatureSet", "Moments", "TIME"]

TIME = "time"
"""The column of wall-clock seconds in the frames that features read."""


@dataclass(frozen=True)
class Encoded:
    """One feature of many rows. ``codes`` count from 1 within the feature; 0 = missing or never seen in training."""

    codes: NDArray[np.int64]
    """[rows, code columns]"""
    dense: NDArray[np.float32]
    """[rows, dense columns]; a missing value is 0 and says so in a flag of its own."""


@dataclass(frozen=True)
class Moments:
    """Context as tensors: of the moment asked about, or of every event in a history."""

    codes: Tensor
    """[..., C] rows of one shared embedding table; 0 = missing."""
    dense: Tensor
    """[..., D]"""

    def __getitem__(self, index: Any) -> Moments:
        return Moments(self.codes[index], self.dense[index])

    def __add__(self, more: Moments) -> Moments:
        """``more`` behind these."""
        return Moments(torch.cat([self.codes, more.codes]), torch.cat([self.dense, more.dense]))

    def to(self, device: torch.device | str) -> Moments:
        return Moments(self.codes.to(device), self.dense.to(device))

    @classmethod
    def none(cls, *shape: int) -> Moments:
        """No context at all, for models that read none."""
        return cls(torch.zeros(*shape, 0, dtype=torch.int64), torch.zeros(*shape, 0))


class Feature(Component, ABC):
    """Reads one or more columns of one type and yields codes, dense numbers, or both.

    To add a kind of context, write one file with one subclass and export it: nothing else knows the list.
    """

    @classmethod
    @abstractmethod
    def columns(cls, types: Mapping[str, ColumnType | str]) -> list[str]:
        """Those of the typed columns that this feature would read."""

    @abstractmethod
    def fit(self, frame: pl.DataFrame, names: Sequence[str], separators: Mapping[str, str]) -> None:
        """Learn vocabularies and scales from the training rows."""

    @property
    @abstractmethod
    def size(self) -> int:
        """How many different codes there are, 0 (missing) not counted."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """Code columns and dense columns of ``encode``."""

    @property
    def told_by(self) -> tuple[list[int], list[int]]:
        """Which value each code column and each dense column tells of, counted from 0, so that all that tells of a value can go missing together; -1:
        of none that ever is missing. As it stands each code column tells of a value of its own, and dense columns are never missing."""
        codes, dense = self.shape
        return list(range(codes)), [-1] * dense

    @abstractmethod
    def encode(self, frame: pl.DataFrame) -> Encoded:
        """Rows to numbers. Columns absent from the frame are missing values."""

    @abstractmethod
    def known(self) -> dict[str, dict[str, Any]]:
        """For people: column -> ``{"type": "category", "values": [{"value", "count"}]}`` or ``{"type": "number", "low", "high"}``."""

    def unknown(self, name: str, value: object) -> bool:
        """Whether training never saw this value of this column."""
        return False

    @abstractmethod
    def vocabulary(self) -> dict[str, Any]:
        """What ``fit`` learned, as JSON."""

    @abstractmethod
    def load_vocabulary(self, vocabulary: Mapping[str, Any]) -> None: ...


class FeatureSet:
    """Fitted features side by side; their codes share one numbering, so a model needs one embedding table."""

    def __init__(self, parts: Sequence[Feature], profile: FeatureSet | None = None) -> None:
        self.parts = list(parts)
        self.profile = profile
        """Features of the user, for models that read them beside the moment's."""

    @classmethod
    def fit(
        cls, parts: Sequence[Feature], frame: pl.DataFrame, types: Mapping[str, ColumnType | str], separators: Mapping[str, str] | None = None
    ) -> Self:
        """Fit the parts that find columns to read; the others are left out."""
        used = []
        for part in parts:
            names = [name for name in part.columns(types) if name in frame.columns]
            if names:
                part.fit(frame, names, separators or {})
                used.append(part)
        return cls(used)

    @property
    def n_codes(self) -> int:
        """Rows of the shared embedding table, row 0 (missing) included."""
        return 1 + sum(part.size for part in self.parts)

    @property
    def shape(self) -> tuple[int, int]:
        """Code columns and dense columns."""
        shapes = [part.shape for part in self.parts]
        return sum(s[0] for s in shapes), sum(s[1] for s in shapes)

    @property
    def told_by(self) -> tuple[list[int], list[int]]:
        """As a feature's, of all of them side by side."""
        codes: list[int] = []
        dense: list[int] = []
        for part in self.parts:
            first = 1 + max([*codes, *dense], default=-1)
            for whole, own in zip((codes, dense), part.told_by, strict=True):
                whole += [value + first if value >= 0 else -1 for value in own]
        return codes, dense

    @cached_property
    def names(self) -> list[str]:
        """Columns that are read, without the time."""
        return [name for name in self._readers if name != TIME]

    @cached_property
    def _readers(self) -> dict[str, list[Feature]]:
        """The fitted parts that read each column: asked with every request, so not worked out again."""
        found: dict[str, list[Feature]] = {}
        for part in self.parts:
            for name in part.known():
                found.setdefault(name, []).append(part)
        return found

    def known(self) -> dict[str, dict[str, Any]]:
        return {name: facts for part in self.parts for name, facts in part.known().items()}

    def unknown(self, name: str, value: object) -> bool:
        return any(part.unknown(name, value) for part in self._readers.get(name, ()))

    def encode(self, frame: pl.DataFrame) -> Moments:
        """[rows, C] and [rows, D]"""
        codes, dense, offset = [], [], 0
        for part in self.parts:
            encoded = part.encode(frame)
            codes.append(np.where(encoded.codes > 0, encoded.codes + offset, 0))
            dense.append(encoded.dense)
            offset += part.size
        rows = frame.height
        all_codes = np.concatenate(codes, axis=1) if codes else np.zeros((rows, 0), dtype=np.int64)
        all_dense = np.concatenate(dense, axis=1) if dense else np.zeros((rows, 0), dtype=np.float32)
        return Moments(torch.from_numpy(all_codes), torch.from_numpy(np.ascontiguousarray(all_dense, dtype=np.float32)))

    def vocabulary(self) -> list[dict[str, Any]]:
        return [{"use": type(part).__name__, "options": part.settings(), "learnt": part.vocabulary()} for part in self.parts]

    @classmethod
    def from_vocabulary(cls, saved: Sequence[Mapping[str, Any]]) -> Self:
        from .. import features
        from ..component import find

        parts = []
        for entry in saved:
            part = find(entry["use"], features, Feature, "vocabulary.json:")(**entry["options"])
            part.load_vocabulary(entry["learnt"])
            parts.append(part)
        return cls(parts)
