"""The steps of an epoch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from .batch import Batch, RowBatch

__all__ = ["Steps"]

AnyBatch = TypeVar("AnyBatch", Batch, RowBatch)


@dataclass(frozen=True)
class Steps(Generic[AnyBatch]):
    """Groups of batches, each made when it is asked for, once; how many they will be is known before."""

    count: int
    """At most."""
    groups: Iterator[list[AnyBatch]]

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[list[AnyBatch]]:
        return self.groups
