"""Two models: the first scores the whole catalogue, the second orders the best of it anew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from ..batches import QueryBatch
from ..component import Component, Options, build
from ..data.dataset import Dataset
from ..encoders import Encoder, ItemContent
from ..errors import ConfigError, TrainingError
from ..features import FeatureSet
from ..histories import KEPT
from . import rankers
from .base import Abilities, Model
from .blend import Blend
from .candidate_features import CandidateFeatures, Candidates
from .context.new_items import NewItems
from .rankers import Ranker
from .standard_scores import spread, standardised

__all__ = ["RankerOptions", "TwoStage", "TwoStageOptions"]

STEP = 1.0
"""By which all others stand below the last of the candidates."""


class RankerOptions(Options):
    among: int = Field(default=200, ge=1)
    """How many of the first model's best are ordered anew, not counting what the user took before. The others keep their order, below them."""
    learns_from: Literal["validation", "last"] = "validation"
    """Events that the first model has not learnt from: the validation part; or the newest ``share`` of the training events, for which the first
    model is trained once without them and then again on all."""
    share: float = Field(default=0.15, gt=0, lt=1)
    """Of the training events, where the second model learns from the last."""
    cases: int = Field(default=10_000, ge=2)
    """At most so many of these events are read, drawn by chance; each holds ``among`` rows in memory."""


class TwoStageOptions(RankerOptions):
    first: dict[str, Any] = Field(default={"use": "ContextTransformer"})
    """The model that scores the whole catalogue, a table: ``use`` and its options."""
    ranker: dict[str, Any] = Field(default={"use": "CrossNetwork"})
    """The model that orders the best of it anew, a table: ``use`` and its options."""
    context: bool = True
    """Whether the second model reads the moment."""


class TwoStage(Model):
    """A first model that retrieves and a second that ranks, as one: a ``[ranker]`` section makes it of the ``[model]`` beside it.

    Pays most above a ``Blend``, each of whose members' scores it reads and weighs case by case, and above a model that cannot see what decides,
    such as the moment; above a single counted model of history it has little to add. Prefer ``Blend`` alone where held-out events are few: a
    second model learns from these only.

    The second model's scores stand as they are; all other items keep the first's order below them.
    Cost of a query: the first model's, and the second's for ``among`` items and those of the history that stand higher.

    >>> TwoStage(first={"use": "EASE", "fade": 0.9}, ranker={"use": "CrossNetwork"}, among=100).ranker
    CrossNetwork()
    """

    options: TwoStageOptions

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        from .. import models

        o = self.options
        self.first: Model = build(o.first, models, Model, "TwoStage first:")
        self.ranker: Ranker = build(o.ranker, rankers, Ranker, "TwoStage ranker:")
        name = type(self.first).__name__
        if isinstance(self.first, TwoStage):
            raise ConfigError("TwoStage has a second model already: choose a single model or a Blend as the first.")
        if "ranking" not in self.first.abilities.gives:
            raise ConfigError(f"a second model orders what a first one ranks, and {name} gives no ranking: choose a [model] that ranks.")
        own = {"history", "side", "text", "words", "time", *(["context"] if o.context else [])}
        first = self.first.abilities
        self.abilities = Abilities(gives=first.gives, reads=first.reads | own, new_items=first.new_items)
        self.features = CandidateFeatures(o.context)

    @property
    def parts(self) -> tuple[Component, ...]:
        return (*self.first.parts, self.ranker)

    @property
    def length(self) -> int:
        return max(self.first.length, KEPT)

    def check(self, dataset: Dataset, text: Encoder) -> None:
        if "ranking" not in self.objective.heads:
            heads = " and ".join(self.objective.heads)
            raise ConfigError(f"[ranker] orders lists anew, and [training] heads trains {heads} only: add ranking, or leave [ranker] out.")
        self.first.check(dataset, text)
        self.ranker.check()

    def check_cases(self, validation: int) -> None:
        """Refuse, in a sentence, to learn from a validation part without events."""
        if self.options.learns_from == "validation" and not validation:
            raise TrainingError(
                '[ranker] learns from validation events, and this split has none: hold some out in [split], or say learns_from = "last".'
            )

    def prepare(self, dataset: Dataset, content: ItemContent, features: FeatureSet) -> None:
        """What the second model learnt stays, so that the first can be trained again below it."""
        self.known, self.n_items = content.known, content.n_items  # [items] bool
        self.new = None if self.new_item_share is None else NewItems(self.new_item_share)
        self.first.objective = self.objective
        self.first.prepare(dataset, content, features)
        self.features.prepare(dataset, content, features)

    @property
    def new_item_share(self) -> float | None:
        """The first model's, of the lists that both make: it has none within, so that the second reads the same scores always."""
        return self.first.new_item_share

    def balance(self, queries: QueryBatch, taken: tuple[Tensor, Tensor]) -> None:
        assert self.new is not None
        with torch.no_grad():
            self.new.settle_lists(self._ordered(queries)[0], taken, self.known)

    # -- scores --------------------------------------------------------------------------------------------------

    def told(self, queries: QueryBatch) -> Tensor:
        """[S, B, items] scores of the first model, standardised over the items that training knows, and those of its members if it is a blend."""
        if isinstance(self.first, nn.Module) and self.first.training:
            self.first.eval()
        scores = [self.first.score(queries)]
        if isinstance(self.first, Blend):
            scores += self.first.told(queries)
        return torch.stack([standardised(one, self.known) for one in scores])

    def candidates(self, history: Tensor, first: Tensor) -> tuple[Tensor, Tensor]:
        """Items [B, K] that the second model orders, by code, and where there are any, [B, K].

        The first model's best ``among`` that the history does not hold, and what it holds of those that stand higher: lists that leave out what
        was taken before lose no candidate by it.
        """
        fresh = torch.ones(len(first), self.n_items + 1, dtype=torch.bool)
        fresh = fresh.scatter(1, history.where(history >= 0, self.n_items), False)[:, :-1]  # [B, items] not in the history
        wanted = fresh.sum(1).clamp(max=self.options.among)  # [B]
        best = first.masked_fill(~fresh, -torch.inf).topk(max(1, int(wanted.max())), dim=1).values
        last = best.gather(1, (wanted[:, None] - 1).clamp(min=0)).where(wanted[:, None] > 0, -torch.inf)
        above, equal = first > last, first == last
        left = wanted[:, None] - (above & fresh).sum(1, keepdim=True)
        so_far = (equal & fresh).cumsum(1)  # among equals the lowest codes
        chosen = above | (equal & torch.where(fresh, so_far <= left, so_far < left))
        counts = chosen.sum(1)
        row, item = chosen.nonzero(as_tuple=True)
        place = torch.arange(len(row)) - (counts.cumsum(0) - counts)[row]
        items = torch.zeros(len(first), max(1, int(counts.max())), dtype=torch.int64)
        items[row, place] = item
        return items, torch.arange(items.shape[1]) < counts[:, None]

    def pairs(self, queries: QueryBatch, told: Tensor) -> Candidates:
        """What the second model reads; ``told``: see there."""
        items, there = self.candidates(queries.history, told[0])
        return self.features(queries, items, there, told.gather(2, items.expand(len(told), -1, -1)))

    def _ordered(self, queries: QueryBatch) -> tuple[Tensor, Tensor]:
        """[B, items] scores of both, and of the first alone, standardised."""
        told = self.told(queries)
        first, pairs = told[0], self.pairs(queries, told)
        second = self.ranker.score(pairs)
        chosen = torch.zeros(len(first), self.n_items + 1, dtype=torch.bool)
        places = pairs.items.masked_fill(~pairs.there, self.n_items)  # where nothing is, beside the catalogue
        chosen.scatter_(1, places, True)
        chosen = chosen[:, :-1]
        lowest = second.masked_fill(~pairs.there, torch.inf).amin(1, keepdim=True)
        highest = first.masked_fill(chosen, -torch.inf).amax(1, keepdim=True)
        below = torch.where(highest.isfinite(), first - highest + lowest - STEP, first)
        both = torch.cat([below, below[:, :1]], dim=1).scatter(1, places, second)[:, :-1]
        return both, first

    def score(self, queries: QueryBatch, items: Tensor | None = None) -> Tensor:
        both = self._ordered(queries)[0]
        return _of(both if self.new is None else both + self.new.of(self.known, None), items)

    def clicks(self, queries: QueryBatch, items: Tensor) -> Tensor:
        return self.first.clicks(queries, items)

    def ratings(self, queries: QueryBatch, items: Tensor) -> Tensor:
        return self.first.ratings(queries, items)

    def conversions(self, queries: QueryBatch, items: Tensor) -> Tensor:
        return self.first.conversions(queries, items)

    def reasons(self, queries: QueryBatch, items: Tensor) -> dict[str, Tensor]:
        """The first model's reasons, ``usual`` (what the average item has less), and ``ranker``: what the second changed."""
        both, first = self._ordered(queries)
        among = self.first.score(queries)[:, self.known]
        share = 1 / spread(among)
        parts = {**self.first.reasons(queries, items)}
        usual = -among.mean(1, keepdim=True).expand(items.shape)
        parts["usual"] = parts["usual"] + usual if "usual" in parts else usual
        out = {kind: part * share for kind, part in parts.items()}
        if self.new is not None:
            out["new"] = out.get("new", 0) + self.new.of(self.known, items)
        return {**out, "ranker": _of(both - first, items)}

    # -- the rest of the contract ----------------------------------------------------------------------------------

    def add_items(self, content: ItemContent) -> None:
        self.first.add_items(content)
        self.features.add_items(content)
        self.known, self.n_items = content.known, content.n_items

    def change_items(self, content: ItemContent, items: Tensor) -> None:
        self.first.change_items(content, items)
        self.features.add_items(content)

    def likeness(self) -> Tensor | None:
        return self.first.likeness()

    def without_context(self) -> TwoStage | None:
        blind = self.first.without_context()
        if blind is None and not self.options.context:
            return None
        first = self.options.first if blind is None else {**blind.settings(), "use": self.options.first["use"]}
        return TwoStage(**{**self.settings(), "first": first, "context": False})

    def state(self) -> dict[str, Tensor]:
        parts: Mapping[str, dict[str, Tensor]] = {"first": self.first.state(), "features": self.features.state(), "ranker": self.ranker.state()}
        new = {} if self.new is None else {"new.lift": self.new.lift}
        return {**new, **{f"{part}.{name}": tensor for part, own in parts.items() for name, tensor in own.items()}}

    def load_state(self, state: dict[str, Tensor]) -> None:
        parts: Mapping[str, Any] = {"first": self.first, "features": self.features, "ranker": self.ranker}
        if self.new is not None and "new.lift" in state:  # else a run of before, whose first model has what new items get
            self.new.lift = state["new.lift"]
        for part, loads in parts.items():
            loads.load_state({name.removeprefix(f"{part}."): tensor for name, tensor in state.items() if name.startswith(f"{part}.")})


def _of(whole: Tensor, items: Tensor | None) -> Tensor:
    """[B, n] of [B, items]"""
    if items is None:
        return whole
    return whole[:, items] if items.ndim == 1 else whole.gather(1, items)
