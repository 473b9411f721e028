"""Events, items and users as immutable columnar tables, with what each column means."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import polars as pl

from ..types import Note
from .columns import Columns, ColumnType, Rules

if TYPE_CHECKING:
    from os import PathLike

    from numpy.typing import NDArray

__all__ = ["Dataset", "Timelines"]


@dataclass(frozen=True)
class Timelines:
    """Every user's events, oldest first, as rows of the event table (compressed sparse rows)."""

    order: NDArray[np.int64]
    """[events] rows of the event table, by user, then by time, then as in the file."""
    offsets: NDArray[np.int64]
    """[users + 1] where each user's stretch of ``order`` begins."""
    place: NDArray[np.int64]
    """[events] where each event stands in ``order``: the inverse permutation."""

    def rows(self, user: int) -> NDArray[np.int64]:
        return self.order[self.offsets[user] : self.offsets[user + 1]]


@dataclass(frozen=True, eq=False)
class Dataset:
    """What happened, to what, by whom. Immutable; rows of the events are ordered by time (stable: file order on ties).

    A user's or an item's *code* is its row in ``users`` or ``items``; those tables hold every id of any table, so codes
    stay valid for every subset that ``take`` returns.
    """

    columns: Columns
    types: Mapping[str, ColumnType]
    """Type of each context, side, text and user_side column, detected or said."""
    events: pl.DataFrame
    """``user`` and ``item`` (Int32 codes), ``weight`` (Float32), ``positive`` (Boolean: may be a target); where the data has them
    ``time`` (Float64, seconds of the wall clock), ``value`` (Float32), ``kind`` (String), ``label`` (Int8), ``split`` (String),
    ``words`` (String), ``converted`` (Boolean) and ``waited`` (Float64, seconds; see ``data/conversions.py``), and one ``context:NAME`` for each
    name of ``columns.moment`` (String for categories, List(String) for several, Float64 for numbers; null = missing)."""
    items: pl.DataFrame
    """``id`` (String) and the file's own columns (text, side, image, vector …)."""
    users: pl.DataFrame
    """``id`` (String) and the file's own columns."""
    separators: Mapping[str, str] = field(default_factory=dict)
    """Separator inside each several-valued column."""
    forms: Mapping[str, str | None] = field(default_factory=dict)
    """How times are written in each column that was said to hold times; None: as ISO has it, or as epochs."""
    timezone: str | None = None
    """Of epoch numbers; absent: UTC."""
    rules: Rules = field(default_factory=Rules)
    prompt: str | None = None
    """Template of an item's text over its columns, such as ``"{title}. {genres}."``; absent: the text columns, joined."""
    notes: tuple[Note, ...] = ()
    """What reading dropped or mended, and how much of it."""
    folder: str | None = None
    """Where it was read from, for ``about.json``."""

    @classmethod
    def from_frames(
        cls,
        events: Any,
        items: Any = None,
        users: Any = None,
        *,
        columns: Columns | Mapping[str, Any] | None = None,
        types: Mapping[str, str] | None = None,
        rules: Rules | Mapping[str, Any] | None = None,
        prompt: str | None = None,
        timezone: str | None = None,
    ) -> Dataset:
        """From polars, pandas or Arrow tables. See ``[data]`` in docs/data.md for the meaning of the arguments."""
        from .assemble import assemble

        return assemble(events, items, users, columns=columns, types=types, rules=rules, prompt=prompt, timezone=timezone)

    @classmethod
    def read(cls, config: str | PathLike[str]) -> Dataset:
        """From the ``[data]`` section of a TOML file."""
        from .options import read_config

        return read_config(config)

    @property
    def n_users(self) -> int:
        return self.users.height

    @property
    def n_items(self) -> int:
        return self.items.height

    def __len__(self) -> int:
        return self.events.height

    def __repr__(self) -> str:
        return f"Dataset({len(self):,} events, {self.n_users:,} users, {self.n_items:,} items)"

    @property
    def item_facts(self) -> dict[str, str]:
        """Columns of items that models read as features, with their types: ``side``, and ``place`` where the items have it whole."""
        facts: dict[str, str] = {name: self.types.get(name, "category") for name in self.columns.side if name in self.items.columns}
        place = self.columns.place if set(self.columns.place) <= set(self.items.columns) else ()
        return facts | dict.fromkeys(place, "place" if len(place) == 2 else "category")

    @property
    def has_times(self) -> bool:
        return "time" in self.events.columns

    @cached_property
    def user_codes(self) -> NDArray[np.int64]:
        """[events]"""
        return self.events["user"].to_numpy().astype(np.int64)

    @cached_property
    def item_codes(self) -> NDArray[np.int64]:
        """[events]"""
        return self.events["item"].to_numpy().astype(np.int64)

    @cached_property
    def times(self) -> NDArray[np.float64]:
        """[events] seconds; the row number where the data has no times, so that order survives."""
        if self.has_times:
            return self.events["time"].to_numpy()
        return np.arange(len(self), dtype=np.float64)

    @cached_property
    def timelines(self) -> Timelines:
        order = np.argsort(self.user_codes, kind="stable")  # rows are in order of time already
        offsets = np.zeros(self.n_users + 1, dtype=np.int64)
        np.cumsum(np.bincount(self.user_codes, minlength=self.n_users), out=offsets[1:])
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        return Timelines(order, offsets, place)

    @cached_property
    def item_index(self) -> Mapping[str, int]:
        """Item id -> code."""
        return {name: code for code, name in enumerate(self.items["id"].to_list())}

    @cached_property
    def user_index(self) -> Mapping[str, int]:
        """User id -> code."""
        return {name: code for code, name in enumerate(self.users["id"].to_list())}

    @cached_property
    def fingerprint(self) -> str:
        """Changes with any cell of any table; the same on every machine."""
        digest = hashlib.sha256(repr((self.columns, sorted(self.types.items()), self.rules, self.prompt)).encode())
        for table in (self.events, self.items, self.users):
            for name in table.columns:
                digest.update(name.encode())
                # polars' hash with a fixed seed is stable for one version of polars, which constraints.txt holds.
                digest.update(table[name].hash(1).to_numpy().tobytes())
        return digest.hexdigest()

    def taken(self) -> Self:
        """Without the rows of label 0, which say what was shown and not taken: no history and no count may hold them."""
        if "label" not in self.events.columns:
            return self
        return self.take(np.flatnonzero((self.events["label"] != 0).fill_null(True).to_numpy()))

    def take(self, rows: NDArray[np.int64]) -> Self:
        """The same users and items with these events only, in order of time."""
        return replace(self, events=self.events[np.sort(np.asarray(rows))])
