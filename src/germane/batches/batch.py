"""Queries and stretches of timelines as tensors: all that models see of the outside."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor

from ..encoders import Words
from ..features import Moments

__all__ = ["PAD", "Batch", "Places", "QueryBatch", "RowBatch", "Shown", "blank"]

PAD = -1
"""In ``history``: no event here."""


@dataclass(frozen=True)
class QueryBatch:
    """Queries as tensors: all that a model sees of the outside. B queries, T places of history (newest last, padded on the left)."""

    users: Tensor
    """[B] codes; -1 = unknown."""
    times: Tensor
    """[B] float64 seconds of the wall clock."""
    history: Tensor
    """[B, T] item codes; -1 = no event."""
    ages: Tensor
    """[B, T] float32 seconds from the event to the moment asked about; 0 where padded."""
    history_values: Tensor
    """[B, T] float32 what each event was worth to its user, such as a rating; NaN = unknown, or no event."""
    history_moments: Moments
    """[B, T, ...] context of each event."""
    moment: Moments
    """[B, ...] context of the moment asked about."""
    profile: Moments
    """[B, ...] what is known of the user (``user_side``)."""
    words: Words
    """[B, ...] what was typed."""

    def __len__(self) -> int:
        return len(self.users)

    def to(self, device: torch.device | str) -> QueryBatch:
        return QueryBatch(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))

    def __getitem__(self, index: Any) -> QueryBatch:
        return QueryBatch(*(getattr(self, name)[index] for name in self.__dataclass_fields__))

    def without_moment(self) -> QueryBatch:
        return replace(self, moment=Moments(torch.zeros_like(self.moment.codes), torch.zeros_like(self.moment.dense)))

    def without_words(self) -> QueryBatch:
        return replace(self, words=Words.none(len(self), self.words.vectors.shape[1]).to(self.times.device))

    def without_history(self) -> QueryBatch:
        """As somebody who did nothing yet."""
        nothing = torch.ones_like(self.history, dtype=torch.bool)
        return replace(
            self,
            history=torch.full_like(self.history, PAD),
            ages=torch.zeros_like(self.ages),
            history_values=torch.full_like(self.history_values, torch.nan),
            history_moments=blank(self.history_moments, nothing),
        )

    def with_moments_of(self, order: Tensor) -> QueryBatch:
        """The same queries, each in the context of another one: what a model loses by it is what context is worth to it."""
        return replace(self, moment=self.moment[order])


@dataclass(frozen=True)
class Places:
    """P places of the stretches of a ``Batch``, each asked for the next item in a moment: by what the events up to it say."""

    row: Tensor
    """[P] of the batch."""
    place: Tensor
    """[P] whose history is known."""
    moment: Moments
    """[P, ...]"""
    words: Words
    """[P, ...]"""
    times: Tensor
    """[P] float64"""

    def __len__(self) -> int:
        return len(self.row)

    def __getitem__(self, index: Any) -> Self:
        return type(self)(*(getattr(self, name)[index] for name in self.__dataclass_fields__))

    def __add__(self, more: Places) -> Places:
        """``more`` behind these."""
        row, place, times = (torch.cat([getattr(self, name), getattr(more, name)]) for name in ("row", "place", "times"))
        return Places(row, place, self.moment + more.moment, self.words + more.words, times)

    def share(self, number: int, of: int) -> Self:
        mine = self[self.row % of == number]
        return replace(mine, row=mine.row // of)

    def to(self, device: torch.device | str) -> Self:
        return type(self)(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Shown(Places):
    """What was shown in such places and not taken: rows with the label 0."""

    items: Tensor
    """[P] codes"""
    weights: Tensor
    """[P]"""


@dataclass(frozen=True)
class Batch:
    """Stretches of users' timelines for training: each event is predicted from those before it and its own moment.

    Place t of ``queries.history`` precedes place t of ``targets``; ages are to be taken between ``times`` and ``target_times``.
    """

    queries: QueryBatch
    """Its ``moment`` and ``words`` are [B, T, ...]: one moment for each target."""
    history_times: Tensor
    """[B, T] float64"""
    past: Tensor
    """[B, E + T] item codes: the history, and left of where a stretch begins what its user did before that, however it was cut; -1 = no event."""
    past_times: Tensor
    """[B, E + T] float64"""
    targets: Tensor
    """[B, T] item codes; -1 = nothing to predict here."""
    target_times: Tensor
    """[B, T] float64"""
    weights: Tensor
    """[B, T] of the events; zero where there is none."""
    items: Tensor
    """[B, T] codes of all events, also of those that are no targets; -1 = none."""
    labels: Tensor
    """[B, T] 1: taken up; NaN = unknown. Those with 0 stand in ``shown``."""
    values: Tensor
    """[B, T] what each event was worth to its user, such as a rating; NaN = unknown."""
    converted: Tensor
    """[B, T] 0 or 1; NaN = no click, or nothing is known of it."""
    waited: Tensor
    """[B, T] seconds until it converted, or for which it has been watched; inf = it can no longer convert."""
    shown: Shown | None = None
    """Where there are labels."""
    named: Places | None = None
    """Targets that are asked for once more, in words of their own text, where items have texts and words are learnt from."""

    @property
    def clicks(self) -> Tensor:
        """[B, T] bool: what was clicked. Beside rows with the label 0 those with 1, also of kinds that are no targets, as these are; else targets."""
        return self.targets >= 0 if self.shown is None else self.labels == 1

    @property
    def weight(self) -> float:
        """Of all its targets and clicks and what was shown beside them, or of all its events where it has neither: what it counts beside others whose
        gradients are added up."""
        shown = 0.0 if self.shown is None else float(self.shown.weights.sum())
        return float(self.weights[(self.targets >= 0) | self.clicks].sum()) + shown or float(self.weights.sum())

    def counts(self) -> dict[str, float]:
        """For each head the weight of what its loss is a mean over."""
        taken, clicked = (float(self.weights[some].sum()) for some in (self.targets >= 0, self.clicks))
        shown = 0.0 if self.shown is None else float(self.shown.weights.sum())
        named = 0.0 if self.named is None else float(self.weights[self.named.row, self.named.place].sum())
        told = _told(self.weights, values=self.values.masked_fill(self.items < 0, torch.nan), converted=self.converted)
        return {"ranking": taken + named, "click": clicked + shown, "rating": told["values"], "conversion": told["converted"]}

    def places(self, asked: Tensor) -> Places:
        """Those of ``asked`` [B, T] bool, in order of rows and places."""
        row, place = asked.nonzero(as_tuple=True)
        return Places(row, place, self.queries.moment[row, place], self.queries.words[row, place], self.target_times[row, place])

    def histories(self) -> QueryBatch:
        """Each stretch but its last target as the history of a query, asked at that one's time, in no moment and without words."""
        asked, times = self.queries, self.target_times[:, -1]
        ages = (times[:, None] - self.history_times).clamp(min=0).float().masked_fill(asked.history < 0, 0)
        return replace(asked, times=times, ages=ages, moment=asked.moment[:, -1], words=asked.words[:, -1]).without_moment().without_words()

    def share(self, number: int, of: int) -> Batch:
        """Every ``of``-th stretch from ``number`` on, as wide as the whole: what one of so many processes takes."""
        parts = {name: part[number::of] for name, part in vars(self).items() if part is not None and name not in ("shown", "named")}
        shown = None if self.shown is None else self.shown.share(number, of)
        return replace(self, **parts, shown=shown, named=None if self.named is None else self.named.share(number, of))

    def to(self, device: torch.device | str) -> Batch:
        return replace(self, **{name: part.to(device) for name, part in vars(self).items() if part is not None})


@dataclass(frozen=True)
class RowBatch:
    """One item for each query: what models learn that score a row at a time, and what clicks, ratings and conversions are judged on."""

    queries: QueryBatch
    items: Tensor
    """[B] codes"""
    labels: Tensor
    """[B] 0 or 1; NaN = unknown."""
    values: Tensor
    """[B] NaN = unknown."""
    converted: Tensor
    """[B] 0 or 1; NaN = no click, or nothing is known of it."""
    waited: Tensor
    """[B] seconds until it converted, or for which it has been watched; inf = it can no longer convert."""
    weights: Tensor
    """[B]"""

    def __len__(self) -> int:
        return len(self.items)

    @property
    def weight(self) -> float:
        return float(self.weights.sum())

    def counts(self) -> dict[str, float]:
        """As ``Batch.counts``."""
        told = _told(self.weights, labels=self.labels, values=self.values, converted=self.converted)
        return {"click": told["labels"], "rating": told["values"], "conversion": told["converted"]}

    def share(self, number: int, of: int) -> RowBatch:
        """Every ``of``-th row from ``number`` on."""
        return RowBatch(*(getattr(self, name)[number::of] for name in self.__dataclass_fields__))

    def to(self, device: torch.device | str) -> RowBatch:
        return RowBatch(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))


def _told(weights: Tensor, **columns: Tensor) -> dict[str, float]:
    """The weight of the rows of which each column says something."""
    return {name: float(weights[~column.isnan()].sum()) for name, column in columns.items()}


def blank(moments: Moments, empty: Tensor) -> Moments:
    """Nothing where there is no event."""
    return Moments(moments.codes.masked_fill(empty[..., None], 0), moments.dense.masked_fill(empty[..., None], 0))
