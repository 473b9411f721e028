"""Which events train, which choose between models, which judge. Each split is a part: ``[split] use = …``.

Held-out rows are positive events, and rows with a label or clicks that may convert, where the data tells them (not in ``LeaveLastOut``).
An event that is no target trains where it stands before what its user is asked, and is history everywhere.
Items held out by ``[data.rules] hold_out_items`` have no training and no validation rows; their test rows stay.
"""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from .. import times
from ..component import Component, Options
from ..errors import DataError
from .dataset import Dataset

__all__ = ["ByTime", "Given", "LeaveLastOut", "NoSplit", "Random", "Split", "Splitter", "check_no_leak", "held_out_items"]

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Split:
    """Rows of ``dataset.events``, each part sorted. A row may be in no part: history between the parts."""

    train: Rows
    validation: Rows
    test: Rows
    name: str
    """``leave-last-out``, ``by-time``, ``random``, ``given`` or ``none``: the protocol in tables."""

    def refitted(self, dataset: Dataset) -> Split:
        """Once validation events train too, and with them what lay between: events that are no targets, before the test (of their user, where each
        user has a test of their own; in a random or a given split all such events train from the beginning)."""
        between = ~held_out_items(dataset)[dataset.item_codes]
        between[np.concatenate([self.train, self.validation, self.test])] = False
        if self.name == "by-time":
            between &= np.arange(len(dataset)) < self.test.min(initial=len(dataset))
        elif self.name == "leave-last-out":
            place, first = dataset.timelines.place, np.full(dataset.n_users, len(dataset), dtype=np.int64)
            np.minimum.at(first, dataset.user_codes[self.test], place[self.test])
            between &= place < first[dataset.user_codes]
        else:
            between[:] = False
        train = np.sort(np.concatenate([self.train, self.validation, np.flatnonzero(between)]))
        return Split(train, self.validation[:0], self.test, self.name)

    def __repr__(self) -> str:
        return f"Split({self.name}: {len(self.train):,} train, {len(self.validation):,} validation, {len(self.test):,} test)"


class Splitter(Component, ABC):
    """Divides the events of a dataset into parts."""

    name: str

    def divide(self, dataset: Dataset) -> Split:
        """The parts, held-out items taken out of training and validation; a part that was asked for and is empty is an error."""
        train, validation, test = self.parts(dataset)
        train, validation = train.copy(), validation.copy()
        held = held_out_items(dataset)
        if held.any():
            cold = held[dataset.item_codes]
            train &= ~cold
            validation &= ~cold
        split = Split(np.flatnonzero(train), np.flatnonzero(validation), np.flatnonzero(test), self.name)
        for part in ("train", *self.asked()):
            if len(getattr(split, part)) == 0:
                raise DataError(f"{self!r} leaves no {part} events of {len(dataset):,} in all: {self.advice()}")
        return split

    @abstractmethod
    def parts(self, dataset: Dataset) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
        """[events] bool each: train, validation, test."""

    def asked(self) -> tuple[str, ...]:
        """The held-out parts that must not be empty."""
        return ()

    def advice(self) -> str:
        return "ask for a smaller part, or bring more events."


class LeaveLastOutOptions(Options):
    validation: int = Field(default=1, ge=0)
    """Positive events a user, those before the test events."""
    test: int = Field(default=1, ge=0)
    """Positive events a user, the last ones."""


class LeaveLastOut(Splitter):
    """Each user's last events are the test. Every user is asked, but others' later events train: prefer ``ByTime`` to know how a service would fare.

    A user keeps at least one event before the held-out ones: of two events, one is held out. Events after a held-out one do not train.

    >>> shop = Dataset.from_frames({"user": list("aaabb"), "item": list("xyzxy")})
    >>> LeaveLastOut(validation=0).divide(shop).test.tolist()
    [2, 4]

    Source: the protocol of Kang and McAuley 2018 (SASRec).
    """

    options: LeaveLastOutOptions
    name = "leave-last-out"

    def parts(self, dataset: Dataset) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
        lines = dataset.timelines
        positive = dataset.events["positive"].to_numpy()[lines.order]  # [events] by user, oldest first
        users = dataset.user_codes[lines.order]
        ends = lines.offsets[1:][users]
        seen = np.cumsum(positive)
        later = seen[ends - 1] - seen  # [events] positive events of the same user after this one
        may = positive & (np.arange(len(users)) > lines.offsets[users])  # the first event of a user is never held out
        n_test, n_all = self.options.test, self.options.test + self.options.validation
        test_place, validation_place = may & (later < n_test), may & (later >= n_test) & (later < n_all)
        held = np.cumsum(test_place | validation_place)
        before = np.concatenate([[0], held])[lines.offsets[:-1]][users]
        return (held == before)[lines.place], validation_place[lines.place], test_place[lines.place]

    def asked(self) -> tuple[str, ...]:
        return tuple(part for part in ("validation", "test") if getattr(self.options, part) > 0)

    def advice(self) -> str:
        held = self.options.validation + self.options.test
        return f"users need {1 + held} events for all of it, one and those left out ({held}), the last of them positive ones; or leave out fewer."


class ByTimeOptions(Options):
    validation: float = Field(default=0.1, ge=0, lt=1)
    """Share of the events, the newest before the test."""
    test: float = Field(default=0.1, ge=0, lt=1)
    """Share of the events, the newest."""
    validation_from: str | float | None = None
    """Begin of the validation part instead of a share, as a time; a number is an epoch, as in the data."""
    test_from: str | float | None = None
    """Begin of the test part instead of a share, as a time; a number is an epoch, as in the data."""

    @field_validator("validation_from", "test_from", mode="before")
    @classmethod
    def _written_time(cls, value: Any) -> Any:
        value = value.isoformat() if isinstance(value, date) else value  # TOML has dates
        if value is not None:
            try:
                times.parse(value)
            except DataError as error:
                raise ValueError(str(error).rstrip(".")) from None
        return value

    @model_validator(mode="after")
    def _in_order(self) -> ByTimeOptions:
        if self.validation_from is not None and self.test_from is not None:
            begins = times.read(self.validation_from), times.read(self.test_from)
            alike = isinstance(begins[0], times.Wall) == isinstance(begins[1], times.Wall)  # else only the data's zone tells
            if alike and begins[0] >= begins[1]:
                raise ValueError("validation_from should lie before test_from")
        if self.test_from is None and self.validation_from is None and self.validation + self.test >= 1:
            raise ValueError("validation and test together should be less than 1")
        return self


class ByTime(Splitter):
    """The newest events are the test, the same moment for all users: what a service would have known. Prefer it wherever times exist.

    Equal times are never parted, so the shares are met as nearly as that allows.

    >>> shop = Dataset.from_frames({"user": list("abab"), "item": list("xyzx"), "time": [1, 2, 3, 4]}, columns={"time": "time"})
    >>> ByTime(validation=0, test=0.25).divide(shop).test.tolist()
    [3]
    """

    options: ByTimeOptions
    name = "by-time"

    def parts(self, dataset: Dataset) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
        if not dataset.has_times:
            raise DataError(
                "ByTime needs times: name their column by time = … in [data.columns], or use LeaveLastOut, which takes the order of the file."
            )
        o, n, row = self.options, len(dataset), np.arange(len(dataset))
        if self.asked() and dataset.times[0] == dataset.times[-1]:
            raise DataError(
                f"{self!r} leaves no training or no held-out events: all {n:,} have one time, {times.show(dataset.times[0])}, and equal times are "
                f"never parted. Is [data.columns] time = {dataset.columns.time!r} the right column? Else use LeaveLastOut or Random."
            )
        test_from, validation_from = (None if said is None else times.parse(said, dataset.timezone) for said in (o.test_from, o.validation_from))
        cut_test = self._cut(dataset.times, n, o.test, test_from)
        cut_validation = self._cut(dataset.times, cut_test, min(o.validation * n / max(cut_test, 1), 1.0), validation_from)
        judged = _judged(dataset)
        return row < cut_validation, judged & (row >= cut_validation) & (row < cut_test), judged & (row >= cut_test)

    @staticmethod
    def _cut(moments: NDArray[np.float64], end: int, share: float, begin: float | None) -> int:
        """The row, up to ``end``, where a part begins; rows are in order of time."""
        if begin is not None:
            return min(end, int(np.searchsorted(moments, begin, side="left")))
        if share == 0 or end == 0:
            return end
        wanted = end - max(1, round(share * end))
        low = int(np.searchsorted(moments[:end], moments[wanted], side="left"))
        high = int(np.searchsorted(moments[:end], moments[wanted], side="right"))
        return high if high < end and (low == 0 or high - wanted < wanted - low) else low

    def asked(self) -> tuple[str, ...]:
        o = self.options
        return (("validation",) if o.validation_from is not None or o.validation > 0 else ()) + (
            ("test",) if o.test_from is not None or o.test > 0 else ()
        )


class RandomOptions(Options):
    validation: float = Field(default=0.1, ge=0, lt=1)
    """Share of the positive events."""
    test: float = Field(default=0.1, ge=0, lt=1)
    """Share of the positive events."""
    seed: int = 0
    """Of the draw."""

    @model_validator(mode="after")
    def _leave_some(self) -> RandomOptions:
        if self.validation + self.test >= 1:
            raise ValueError("validation and test together should be less than 1")
        return self


class Random(Splitter):
    """Positive events drawn at random, as rating papers do. The future trains the past: prefer ``ByTime`` for anything that ranks.

    >>> shop = Dataset.from_frames({"user": list("ab") * 10, "item": list("xy") * 10})
    >>> Random(validation=0.2, test=0.3).divide(shop)
    Split(random: 10 train, 4 validation, 6 test)
    """

    options: RandomOptions
    name = "random"

    def parts(self, dataset: Dataset) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
        drawn = np.random.default_rng(self.options.seed).permutation(np.flatnonzero(_judged(dataset)))
        n_test, n_validation = round(self.options.test * len(drawn)), round(self.options.validation * len(drawn))
        part = np.zeros(len(dataset), dtype=np.int8)
        part[drawn[:n_test]] = 2
        part[drawn[n_test : n_test + n_validation]] = 1
        return part == 0, part == 1, part == 2

    def asked(self) -> tuple[str, ...]:
        return tuple(part for part in ("validation", "test") if getattr(self.options, part) > 0)


class Given(Splitter):
    """The parts that the data names: a ``split`` column, or files of their own (``[data] validation``, ``test``). For published splits.

    >>> events = {"user": list("abab"), "item": list("xyzx"), "part": ["train", "train", "test", "test"]}
    >>> shop = Dataset.from_frames(events, columns={"split": "part"})
    >>> Given().divide(shop).test.tolist()
    [2, 3]
    """

    name = "given"

    def parts(self, dataset: Dataset) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
        if "split" not in dataset.events.columns:
            raise DataError(
                "Given needs to be told the parts: name their column by split = … in [data.columns], or files by validation and test in [data]."
            )
        part, judged = dataset.events["split"].to_numpy(), _judged(dataset)
        return part == "train", (part == "validation") & judged, (part == "test") & judged


class NoSplit(Splitter):
    """Everything trains and nothing is judged: for the last training before service.

    >>> shop = Dataset.from_frames({"user": list("ab"), "item": list("xy")})
    >>> NoSplit().divide(shop)
    Split(none: 2 train, 0 validation, 0 test)
    """

    name = "none"

    def parts(self, dataset: Dataset) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
        nothing = np.zeros(len(dataset), dtype=bool)
        return ~nothing, nothing, nothing


def _judged(dataset: Dataset) -> NDArray[np.bool_]:
    """[events] whether a row may be asked: it was taken, a label says that it was not, or it may convert."""
    judged: NDArray[np.bool_] = dataset.events["positive"].to_numpy()
    for name in {"label", "converted"} & set(dataset.events.columns):
        judged = judged | dataset.events[name].is_not_null().to_numpy()
    return judged


def held_out_items(dataset: Dataset) -> NDArray[np.bool_]:
    """[items] the items that ``[data.rules] hold_out_items`` keeps out of training."""
    every = dataset.rules.hold_out_items
    if every == 0:
        return np.zeros(dataset.n_items, dtype=bool)
    return np.fromiter((zlib.crc32(name.encode()) % every == 0 for name in dataset.items["id"]), dtype=bool, count=dataset.n_items)


def check_no_leak(dataset: Dataset, split: Split) -> None:
    """Refuse a split in which training sees what it is asked: a row in two parts, or training events later than a held-out one.

    Later means for the same user in ``leave-last-out`` and for everyone in ``by-time``; ``random`` and ``given`` promise no order.
    """
    parts = {"train": split.train, "validation": split.validation, "test": split.test}
    rows, counts = np.unique(np.concatenate(list(parts.values())), return_counts=True)
    if (counts > 1).any():
        row = int(rows[counts > 1][0])
        raise DataError(f"event {row} is in more than one part of the split ({', '.join(n for n, r in parts.items() if row in r)}).")
    order = ("train", "validation", "test")
    for early, late in (order[:2], order[1:], order[::2]):
        before, after = parts[early], parts[late]
        if len(before) == 0 or len(after) == 0:
            continue
        if split.name == "by-time":
            leaks = before[dataset.times[before] >= dataset.times[after].min()]
        elif split.name == "leave-last-out":
            place, users = dataset.timelines.place, dataset.user_codes
            first = np.full(dataset.n_users, len(dataset), dtype=np.int64)
            np.minimum.at(first, users[after], place[after])
            leaks = before[place[before] >= first[users[before]]]
        else:
            continue
        if len(leaks):
            row = int(leaks[0])
            user = dataset.users["id"][int(dataset.user_codes[row])]
            raise DataError(f"event {row} (user {user!r}) is {early} and comes after {late} events: the {split.name} split leaks the future.")
