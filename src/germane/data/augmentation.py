"""Stretches of timelines, changed for training: cut, hidden in part, shuffled in part, joined by items alike. What is to be predicted stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from ..component import Options

__all__ = ["Alike", "AugmentOptions", "Stretches", "augmented", "cut", "insert", "mask", "reorder"]

Ints = NDArray[np.int64]
Alike = Callable[[Ints, np.random.Generator], Ints]
"""Items [n] -> for each an item like it, -1 where there is none."""


class AugmentOptions(Options):
    crop: float = Field(default=0.0, ge=0, le=1)
    """Chance that a stretch is cut in two at a random place: what comes after it is predicted from a shorter history."""
    mask: float = Field(default=0.0, ge=0, le=1)
    """Chance that some events of a stretch's history are hidden."""
    reorder: float = Field(default=0.0, ge=0, le=1)
    """Chance that a short run of a stretch's history is shuffled. What would be seen before it comes is not asked for in that epoch."""
    insert: float = Field(default=0.0, ge=0, le=1)
    """Chance that items like those of a stretch's history are put behind them. A stretch without room for more is cut in two for it."""
    share: float = Field(default=0.2, gt=0, le=1)
    """Of the events of a stretch that is chosen: how many are hidden, shuffled, or joined by another."""

    @model_validator(mode="after")
    def _something_is_done(self) -> Self:
        if not (self.crop or self.mask or self.reorder or self.insert):
            raise ValueError("should say a chance above 0 of crop, mask, reorder or insert")
        return self


@dataclass(frozen=True)
class Stretches:
    """B stretches of T places, padded on the left, as rows of an event table: at each place what is asked, and what stands before it."""

    asked: Ints
    """[B, T] the event to be predicted; -1 = padding."""
    silent: NDArray[np.bool_]
    """[B, T] whether it is not to be learnt from here."""
    before: Ints
    """[B, T] the event that this place of the history holds; -1 = none."""
    when: Ints
    """[B, T] the event whose time that place has."""
    instead: Ints
    """[B, T] the item that stands there in place of the event's own; -1 = its own."""

    @classmethod
    def of(cls, asked: Ints, before: Ints) -> Stretches:
        """As they happened."""
        return cls(asked, np.zeros(asked.shape, dtype=bool), before, before, np.full(asked.shape, -1))

    def place_of(self, asked: Ints, row: Ints) -> Ints:
        """[n] the last place of each stretch ``row`` [n] at which this event [n] is to be predicted."""
        if not len(row):
            return np.zeros(0, dtype=np.int64)
        back = np.argmax((self.asked[row] == asked[:, None])[:, ::-1], axis=1)
        found: Ints = self.asked.shape[1] - 1 - back
        return found


def cut(begins: Ints, ends: Ints, options: AugmentOptions, most: int, rng: np.random.Generator) -> tuple[Ints, Ints, NDArray[np.bool_]]:
    """Stretches of events, some of them cut in two, and which of them items are to be put into. Every event is in one of them, once.

    >>> halves = cut(np.array([0]), np.array([9]), AugmentOptions(crop=1.0), 9, np.random.default_rng(0))
    >>> halves[0].tolist(), halves[1].tolist()
    ([0, 1], [1, 9])
    """
    lengths = ends - begins
    chosen = rng.random(len(begins)) < options.insert
    parted = (rng.random(len(begins)) < options.crop) | (chosen & (lengths >= most))
    parted &= lengths > 1
    at = (begins + 1 + np.floor(rng.random(len(begins)) * (lengths - 1)).astype(np.int64))[parted]
    first = ends.copy()
    first[parted] = at
    return np.concatenate([begins, at]), np.concatenate([first, ends[parted]]), np.concatenate([chosen, chosen[parted]])


def augmented(
    stretches: Stretches, longer: NDArray[np.bool_], options: AugmentOptions, items: Ints, alike: Alike | None, most: int, rng: np.random.Generator
) -> Stretches:
    """What ``options`` ask for, one after the other. ``longer`` [B]: which stretches items are put into."""
    if options.reorder:
        stretches = reorder(stretches, options.reorder, options.share, rng)
    if options.insert and alike is not None:
        stretches = insert(stretches, longer, options.share, items, alike, most, rng)
    return mask(stretches, options.mask, options.share, rng) if options.mask else stretches


def mask(stretches: Stretches, chance: float, share: float, rng: np.random.Generator) -> Stretches:
    """Hide events of the history: nothing stands in their places (CL4SRec; Xie et al. 2022)."""
    chosen = rng.random(len(stretches.asked)) < chance
    hidden = chosen[:, None] & (rng.random(stretches.before.shape) < share)
    return replace(stretches, before=np.where(hidden, -1, stretches.before))


def reorder(stretches: Stretches, chance: float, share: float, rng: np.random.Generator) -> Stretches:
    """Shuffle a run of the history: events change places with what belongs to them, times stay where they are (CL4SRec; Xie et al. 2022).

    All places of a stretch are learnt at once, so what is asked within the run stands in its shuffled history: it is silent.
    """
    rows, width = stretches.before.shape
    there = stretches.before >= 0
    counts = there.sum(1)
    chosen = (rng.random(rows) < chance) & (counts > 1)
    length = np.clip(np.round(share * counts), 2, np.maximum(counts, 2)).astype(np.int64)
    start = width - counts + np.floor(rng.random(rows) * (counts - length + 1)).astype(np.int64)
    places = np.arange(width)
    inside = chosen[:, None] & (places >= start[:, None]) & (places < (start + length)[:, None])
    keys = np.where(inside, start[:, None] + rng.random((rows, width)) * length[:, None], places)
    order = np.argsort(keys, axis=1, kind="stable")
    seen_early = inside & (places < (start + length - 1)[:, None])
    moved = {name: np.take_along_axis(getattr(stretches, name), order, 1) for name in ("before", "instead")}
    return replace(stretches, silent=stretches.silent | seen_early, **moved)


def insert(
    stretches: Stretches, chosen: NDArray[np.bool_], share: float, items: Ints, alike: Alike, most: int, rng: np.random.Generator
) -> Stretches:
    """Put items behind events of the history that they are like, in the same moment, up to ``most`` places (CoSeRec; Liu et al. 2021).

    ``chosen`` [B] stretches; ``items``: of each row of the event table. What is asked after an event is asked after the item put behind it.
    """
    rows, width = stretches.before.shape
    there = (stretches.before >= 0) & (stretches.instead < 0) & chosen[:, None]
    room = most - (stretches.asked >= 0).sum(1)
    wanted = np.minimum(np.maximum(np.round(share * there.sum(1)), 1), np.minimum(room, there.sum(1)))
    keys = np.where(there, rng.random(there.shape), 2.0)
    joined = np.argsort(np.argsort(keys, axis=1), axis=1) < wanted[:, None]
    other = np.full(there.shape, -1)
    other[joined] = alike(items[stretches.before[joined]], rng)
    joined &= other >= 0
    times = (stretches.asked >= 0) + joined.astype(np.int64)
    source = np.repeat(np.arange(rows * width), times.ravel())  # a place that is joined comes twice
    row, again = source // width, np.concatenate([[False], source[1:] == source[:-1]]) if len(source) else np.zeros(0, dtype=bool)
    totals = times.sum(1)
    wide = int(totals.max(initial=0))
    place = wide - totals[row] + np.arange(len(source)) - (np.cumsum(totals) - totals)[row]

    def spread(values: NDArray, nothing: int) -> NDArray:  # type: ignore[type-arg]
        out = np.full((rows, wide), nothing, dtype=values.dtype)
        out[row, place] = values.ravel()[source]
        return out

    asked, before, when = (spread(part, -1) for part in (stretches.asked, stretches.before, stretches.when))
    silent, instead = spread(stretches.silent, False), spread(stretches.instead, -1)
    silent[row, place] |= joined.ravel()[source] & ~again
    instead[row[again], place[again]] = other.ravel()[source[again]]
    return Stretches(asked, silent, before, when, instead)
