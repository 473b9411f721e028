"""What a second model reads of a query and an item that a first model put forward."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..batches import QueryBatch, event_frame
from ..data.dataset import Dataset
from ..encoders import ItemContent, Whitening
from ..features import FeatureSet
from .context.popular import RecentPopularity
from .context_lift import ContextLift
from .memory import memory

__all__ = ["CandidateFeatures", "Candidates"]

HALF_LIVES = (7.0, 60.0, math.inf)
"""Days: lately, in the last months, ever."""
SNAPSHOTS = 32
TEXT_WIDTH = 64
FADE = 0.9
"""Weight of a text of the history against the one after it."""


@dataclass(frozen=True)
class Candidates:
    """K places for items beside each of B queries."""

    items: Tensor
    """[B, K] codes; any where nothing is there."""
    there: Tensor
    """[B, K] bool"""
    first: Tensor
    """[B, K] what the first model says, standardised over the items that training knows."""
    numbers: Tensor
    """[B, K, F]"""
    codes: Tensor
    """[B, K, C] int32 rows of one table of categories; 0 = missing."""
    n_codes: int
    """Rows of that table."""

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, rows: Tensor | slice) -> Candidates:
        """Of some queries."""
        return replace(self, **{name: tensor[rows] for name, tensor in self._tensors().items()})

    def _tensors(self) -> dict[str, Any]:
        return {name: part for name, part in vars(self).items() if isinstance(part, Tensor)}

    def at(self, places: Tensor, there: Tensor) -> Candidates:
        """Those at ``places`` [B, W], of which only ``there`` [B, W] count."""
        row = torch.arange(len(self))[:, None]
        return replace(self, **{**{name: tensor[row, places] for name, tensor in self._tensors().items()}, "there": there})

    @classmethod
    def joined(cls, parts: list[Candidates]) -> Candidates:
        """One behind the other; of one width."""
        whole: dict[str, Any] = {name: torch.cat([part._tensors()[name] for part in parts]) for name in parts[0]._tensors()}
        return replace(parts[0], **whole)


class CandidateFeatures:
    """Numbers and categories of pairs, none of which looks ahead.

    Numbers: the first model's score and place (and its members', of a blend); popularity in the last week, the last months and ever, as of the
    query's time; how often and how lately the user took this very item; how alike its text is to the texts of the history and to the typed words;
    how much oftener it is taken in each value of the moment than elsewhere (``ContextLift``), and all of these added up; how much the user did and
    how long ago; the numbers of the moment, the user and the item. Categories: those of the moment, the user and the item. The item's identity is
    not among them, so that a new item is read like a known one.

    ``fit`` counts events; queries asked about must not be among these, so that no event counts itself. Cost of a query: K × (T + F) for a
    history of T events.
    """

    def __init__(self, context: bool = True) -> None:
        self.context = context
        self.lift = ContextLift()

    def prepare(self, dataset: Dataset, content: ItemContent, features: FeatureSet) -> None:
        self.features, self.timed = features, dataset.has_times
        self.recent = RecentPopularity(HALF_LIVES, content.n_items, SNAPSHOTS)
        self.mean, self.matrix = torch.zeros(content.width), torch.zeros(content.width, min(TEXT_WIDTH, content.width))
        profile = features.profile
        self.after_moment = features.n_codes if self.context else 1
        self.after_profile = self.after_moment + (profile.n_codes - 1 if profile is not None else 0)
        self.n_codes = self.after_profile + content.n_side_codes - 1
        self._take(content)

    def _take(self, content: ItemContent) -> None:
        self.content, self.known = content, content.known
        self.texts = Whitening(self.mean, self.matrix).transform(content.text)

    def fit(self, dataset: Dataset) -> None:
        """Count these events and no others."""
        self.recent.fit(dataset)
        content = self.content
        if content.width:
            white = Whitening.fit(content.text[self.known] if bool(self.known.any()) else content.text, self.matrix.shape[1])
            self.mean, self.matrix = white.mean, white.matrix
            self._take(content)
        taken = dataset.take(np.flatnonzero(dataset.events["positive"].to_numpy()))
        codes = self.features.encode(event_frame(taken)).codes.numpy()
        self.lift.fit(codes, taken.item_codes, self.features.n_codes, content.n_items)

    def __call__(self, queries: QueryBatch, items: Tensor, there: Tensor, told: Tensor) -> Candidates:
        """Of ``items`` [B, K], where they are ``there``; ``told`` [S, B, K]: standardised scores, those that order first."""
        first = told[0]
        shape = items.shape
        moment = queries.moment if self.context else queries.moment[:, :0]
        lift = self.lift(queries.moment.codes, items) if self.context else first.new_zeros(*shape, 0)
        done = queries.history >= 0
        gap = torch.where(done[:, -1], queries.ages[:, -1] / 86_400, 0.0)
        asked = [done.sum(1).float().log1p()[:, None], gap.log1p()[:, None], queries.profile.dense]
        if self.context:
            asked.append(moment.dense)
        numbers = [
            told.permute(1, 2, 0),
            self._place(first, items, there)[..., None],
            self._popular(queries, items),
            memory(queries.history[:, None], queries.ages[:, None], items),
            lift,
            lift.sum(-1, keepdim=True),
            *self._alike(queries, items),
            torch.cat(asked, dim=1)[:, None].expand(*shape, -1),
            self.content.side_dense[items],
        ]
        side, profile = self.content.side_codes[items], queries.profile.codes
        asked_codes = [_moved(profile, self.after_moment)]
        if self.context:
            asked_codes.append(moment.codes)
        codes = [torch.cat(asked_codes, dim=1)[:, None].expand(*shape, -1), _moved(side, self.after_profile)]
        return Candidates(items, there, first, torch.cat(numbers, dim=-1).float(), torch.cat(codes, dim=-1).int(), self.n_codes)

    def _place(self, first: Tensor, items: Tensor, there: Tensor) -> Tensor:
        """[B, K] logarithm of how many of the known items among them score higher, and one."""
        rivals = first.masked_fill(~(there & self.known[items]), -torch.inf).sort(dim=1).values
        return (1 + rivals.shape[1] - torch.searchsorted(rivals, first.contiguous(), right=True)).float().log()

    def _popular(self, queries: QueryBatch, items: Tensor) -> Tensor:
        """[B, K, half-lives] as it was at each query's time; without times, once all events were counted, which those asked about never are."""
        times = queries.times if self.timed else torch.full_like(queries.times, torch.inf)
        return self.recent.of(self.recent.snapshot(times)[:, None], items)

    def _alike(self, queries: QueryBatch, items: Tensor) -> list[Tensor]:
        """[B, K, 2] cosines with the texts of the history and with the typed words; nothing where there are no texts."""
        if not self.content.width:
            return []
        after = torch.arange(queries.history.shape[1] - 1, -1, -1)
        weights = FADE**after * (queries.history >= 0)
        read = functional.normalize((weights[..., None] * self.texts[queries.history.clamp(min=0)]).sum(1), dim=-1)  # [B, z]
        typed = Whitening(self.mean, self.matrix).transform(queries.words.vectors)
        return [torch.einsum("bkz,bsz->bks", self.texts[items], torch.stack([read, typed], dim=1))]

    def add_items(self, content: ItemContent) -> None:
        self.recent.grow(content.n_items)
        self.lift.grow(content.n_items)
        self._take(content)

    def state(self) -> dict[str, Tensor]:
        recent = {f"recent.{name}": tensor for name, tensor in self.recent.state_dict().items()}
        return {**recent, "mean": self.mean, "matrix": self.matrix, **{f"lift.{name}": tensor for name, tensor in self.lift.state().items()}}

    def load_state(self, state: dict[str, Tensor]) -> None:
        self.recent.load_state_dict({name.removeprefix("recent."): tensor for name, tensor in state.items() if name.startswith("recent.")})
        self.mean, self.matrix = state["mean"], state["matrix"]
        self.lift.load_state({name.removeprefix("lift."): tensor for name, tensor in state.items() if name.startswith("lift.")})
        self._take(self.content)


def _moved(codes: Tensor, after: int) -> Tensor:
    """Codes that count from 1 put behind the ``after`` rows of a table that are taken; 0 stays 0."""
    return torch.where(codes > 0, codes + after - 1, 0)
