"""The contract of a world: three tables and what their columns mean."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import polars as pl

from ..component import Component

if TYPE_CHECKING:
    from ..data.dataset import Dataset

__all__ = ["World"]


class World(Component, ABC):
    """Made from its options and seed alone: the same options give the same tables on every machine."""

    @abstractmethod
    def frames(self) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
        """Events, items and users, as a product team would bring them."""

    @property
    @abstractmethod
    def columns(self) -> dict[str, Any]:
        """What the columns mean, as ``Dataset.from_frames(columns=…)`` and ``[data.columns]`` take it."""

    def dataset(self) -> Dataset:
        from ..data.dataset import Dataset

        events, items, users = self.frames()
        return Dataset.from_frames(events, items, users, columns=self.columns)
