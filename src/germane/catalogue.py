"""What can be shown: items by id and code, what is in and out, and how often each was taken."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from .data import Dataset
from .data.filters import parse as parse_filter
from .errors import QueryError
from .types import Id, Note, Query, as_id

__all__ = ["MONTH", "Catalogue", "unknown"]

MONTH = 30 * 86_400.0
"""Seconds; what was taken since is lately."""
FEW, LONGEST = 3, 60
"""Ids that a note names, and how many characters of each."""

Counted = tuple[NDArray[np.float64], NDArray[np.float64]]


class Catalogue:
    """Items in the order of their codes. Grows at the end. What is taken out keeps its code if it was there at the beginning; what was added
    and is taken out is forgotten, and its code stands for nothing any more."""

    def __init__(self, items: pl.DataFrame) -> None:
        self.items = items
        """``id`` and the columns that the data brought; rows of what is forgotten are empty, their ids too."""
        self.first = items
        """As they were at the beginning."""
        self.codes: dict[str, int] = {item: code for code, item in enumerate(items["id"]) if item}
        self.removed: set[int] = set()
        self.taken = np.zeros(items.height)
        """[items] how often each was taken."""
        self.taken_lately = np.zeros(items.height)
        """[items] of these, in the newest thirty days; without times, among the newest tenth."""
        self.others: Counter[str] = Counter()
        """How often what is not in the catalogue was taken: it may come yet."""
        self.by: dict[str, list[str]] = {}
        """user -> what they took since the beginning."""

    def __len__(self) -> int:
        return self.items.height

    def count(self, dataset: Dataset) -> None:
        """Count these events instead of those so far."""
        self.taken = np.bincount(dataset.item_codes, minlength=len(self)).astype(float)
        self.taken_lately = np.zeros(len(self))
        if len(dataset):
            since = dataset.times.max() - MONTH if dataset.has_times else np.quantile(dataset.times, 0.9)
            self.taken_lately = np.bincount(dataset.item_codes[dataset.times >= since], minlength=len(self)).astype(float)

    def took(self, item: str, user: str) -> None:
        self.by.setdefault(user, []).append(sys.intern(str(item)))  # one text an item, however many events name it
        self._count(item, 1)

    def forget(self, user: str) -> None:
        """What the user took since the beginning counts no more; what training counted tells nothing of anybody."""
        for item in self.by.pop(user, ()):
            self._count(item, -1)

    def _count(self, item: str, times: int) -> None:
        code = self.codes.get(item)
        if code is None:
            self.others[item] += times
        else:
            self.taken[code] += times
            self.taken_lately[code] += times

    def apart(self, rows: pl.DataFrame, named: Collection[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Of ``rows`` those of new ids; and those of known ids as they will be: the ``named`` columns from here, the others as they are, or, of
        what is out and comes back, as they were at the beginning."""
        known = pl.Series([item in self.codes for item in rows["id"]], dtype=pl.Boolean)  # few are asked for of many
        given = rows.filter(known)
        codes = [self.codes[item] for item in given["id"]]
        back = self.first[[code for code in codes if code in self.removed]]
        held = self.items[codes].update(back, on="id", how="left", include_nulls=True)
        return rows.filter(~known), held.with_columns(given.select(name for name in held.columns if name in named and name != "id"))

    def add(self, fresh: pl.DataFrame, changed: pl.DataFrame) -> None:
        """``fresh`` rows go behind the others, ``changed`` rows take the place of those of their ids. All are in from now on."""
        self.codes.update((item, len(self) + place) for place, item in enumerate(fresh["id"]))
        self.items = self.items.cast({name: dtype for name, dtype in fresh.schema.items() if dtype.is_float()})  # whole numbers so far
        self.items = pl.concat([self.items, fresh])
        more = np.zeros(fresh.height) + [self.others.pop(item, 0) for item in fresh["id"]]
        self.taken, self.taken_lately = np.concatenate([self.taken, more]), np.concatenate([self.taken_lately, more])
        if changed.height:
            self.items = self.items.update(changed, on="id", how="left", include_nulls=True)
        self.removed -= {self.codes[item] for frame in (fresh, changed) for item in frame["id"]}

    def remove(self, item: Id) -> None:
        item = as_id(item, "item")
        code = self.code(item)
        self.removed.add(code)
        if code >= self.first.height:
            del self.codes[item]
            self.others[item] += int(self.taken[code])
            self.taken[code] = self.taken_lately[code] = 0
            self.items = self.items.with_columns(
                pl.when(pl.int_range(len(self)) == code).then(pl.lit("") if name == "id" else None).otherwise(name).alias(name)
                for name in self.items.columns
            )

    def code(self, item: Id) -> int:
        code = self.codes.get(as_id(item, "item"))
        if code is None:
            raise QueryError(f"item {item!r} is not in the catalogue.", "item")
        return code

    def candidates(self, query: Query, notes: list[Note]) -> NDArray[np.bool_]:
        """[items] whether the query's candidates and filter let an item in."""
        mask = np.ones(len(self), dtype=bool)
        if query.candidates is not None:
            mask[:] = False
            there = {item: code for item in query.candidates if (code := self.codes.get(item)) is not None and code not in self.removed}
            mask[list(there.values())] = True
            notes += unknown("candidate", (item for item in query.candidates if item not in there))
        if query.filter is not None:
            mask &= parse_filter(query.filter, self.items).mask(self.items)
        mask[list(self.removed)] = False
        return mask

    # Lists without a person. Each gives (item, score), best first; ``counted``: (all, lately) of certain moments instead of all events.

    def popular(self, n: int, filter: Mapping[str, Any] | None = None, counted: Counted | None = None) -> list[tuple[str, float]]:
        return self.top(self.taken if counted is None else _some(counted[0], counted), n, filter)

    def trending(self, n: int, filter: Mapping[str, Any] | None = None, counted: Counted | None = None) -> list[tuple[str, float]]:
        """What is taken lately, against how often it is taken at all."""
        taken, lately = counted if counted is not None else (self.taken, self.taken_lately)
        share = lately / max(lately.sum(), 1)
        usual = (taken + 1) / (taken.sum() + len(self.codes))
        return self.top(_some(share * np.log1p(share / usual), counted), n, filter)

    def latest(self, n: int, filter: Mapping[str, Any] | None = None, counted: Counted | None = None) -> list[tuple[str, float]]:
        """The newest rows: added last, first."""
        return self.top(_some(np.arange(len(self), dtype=float), counted), n, filter)

    def top(self, scores: NDArray[np.float64], n: int, filter: Mapping[str, Any] | None = None) -> list[tuple[str, float]]:
        """Items by falling score; minus infinity is left out."""
        allowed = np.flatnonzero(self.candidates(Query(filter=filter), []) & np.isfinite(scores))
        order = allowed[np.argsort(-scores[allowed], kind="stable")[:n]]
        ids = self.items["id"]
        return [(ids[int(code)], float(scores[code])) for code in order]


def unknown(noun: str, ids: Iterable[str], where: str = "") -> list[Note]:
    """One note on ids that the catalogue lacks, however many they are; none where there are none. An answer may be asked with many thousands.

    >>> unknown("item", ["a", "b", "a", "c", "d"], " in the history")[0].detail
    "4 items in the history are not in the catalogue, such as 'a', 'b', 'c'; left out."
    """
    different = list(dict.fromkeys(ids))
    if not different:
        return []
    few = ", ".join(repr(one if len(one) <= LONGEST else f"{one[:LONGEST]}…") for one in different[:FEW])
    one = f"{noun} {few}{where} is not in the catalogue; left out."
    many = f"{len(different):,} {noun}s{where} are not in the catalogue, such as {few}; left out."
    return [Note(f"unknown_{noun}", one if len(different) == 1 else many)]


def _some(scores: NDArray[np.float64], counted: Counted | None) -> NDArray[np.float64]:
    """Where certain moments are asked about, only what was taken in them."""
    return scores if counted is None else np.where(counted[0] > 0, scores, -np.inf)
