"""Several models as one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from ..batches import QueryBatch
from ..component import Component, Options, build
from ..data.dataset import Dataset
from ..encoders import Encoder, ItemContent
from ..errors import ConfigError
from ..features import FeatureSet
from .base import Abilities, Learned, Model
from .context.new_items import NewItems
from .standard_scores import spread, standardised

__all__ = ["Blend", "BlendOptions"]

FIRST_RANKS = 60
"""Added to each rank, so that the very first places do not decide alone (Cormack et al., 2009)."""
AT_ONCE = 256
"""Items of the catalogue that heads other than the ranking are asked of at a time."""


class BlendOptions(Options):
    members: tuple[dict[str, Any], ...] = Field(default=({"use": "EASE"}, {"use": "ItemNeighbours"}), min_length=2)
    """The models, each a table: ``use``, its options and, if its weight is said, ``weight``. Equal members have seeds of their own."""
    snapshots: bool = False
    """Of equal members: each begins with the weights that the one before ended with, and the learning rate begins anew. A few epochs a member then
    make an ensemble in the time of one training. Absent: each begins at random."""
    of: Literal["scores", "ranks"] = "scores"
    """What a ranking head adds up: scores, standardised over the items that training knows, or 1 / (60 + rank) among them, whatever the spread of
    scores."""
    choose: Literal["metric", "likelihood"] = "metric"
    """How weights of lists that are not said are chosen on validation: those with the best validation figure, by a search; or by a regression of
    what was taken on the members' scores (stacking), smoother where there are many members and few events. Other heads are always stacked."""


class Blend(Model):
    """A weighted sum of what models say. Models that err differently rank better together: a transformer and ``ALS``, or one model's several seeds.

    Gives the heads that all members give. Lists add up standardised scores; a click or a conversion is the sigmoid of the mean logit, a
    rating the mean rating, all weighed. Without a ranking head lists stand in the order of the first of these. Weights are chosen on the validation
    part, for each head its own; without one, members weigh alike. Costs what its members cost, and every list scores the whole catalogue, since
    scores are put beside each other over all of it. With ``snapshots`` one training gives them all (Huang et al., Snapshot Ensembles, 2017), which
    err less differently than several seeds do.

    >>> Blend(members=[{"use": "ALS", "fade": 0.9}, {"use": "EASE", "weight": 0.5}]).members
    (ALS(fade=0.9), EASE())
    """

    options: BlendOptions
    abilities = Abilities()

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        from .. import models

        said = [dict(member) for member in self.options.members]
        weights = [member.pop("weight", None) for member in said]
        if any(w is not None and (isinstance(w, bool) or not isinstance(w, int | float) or w < 0) for w in weights):
            raise ConfigError(f"Blend: the weights {weights} should be numbers of 0 or more.")
        self.members: tuple[Model, ...] = tuple(build(member, models, Model, "Blend members:") for member in said)
        gives = frozenset[str].intersection(*(member.abilities.gives for member in self.members))
        if not gives:
            each = ", ".join(f"{type(member).__name__} ({', '.join(sorted(member.abilities.gives))})" for member in self.members)
            raise ConfigError(f"Blend adds up what all its members give, and {each} have nothing in common: choose members that give the same.")
        several = [type(member).__name__ for member in self.members if member.parts != (member,)]
        if several:
            raise ConfigError(f"Blend adds up single models, and {', '.join(several)} is made of several: put a [ranker] above the blend.")
        if self.options.snapshots and (len(set(map(repr, self.members))) > 1 or not all(isinstance(member, Learned) for member in self.members)):
            raise ConfigError(f"Blend snapshots are of one model that learns by gradients, and the members are {', '.join(map(repr, self.members))}.")
        self.said = tuple(None if w is None else float(w) for w in weights)
        self.weights = self.start()
        """[members] of lists."""
        self.mixed: dict[str, Tensor] = {}
        """[members] of each head but the ranking."""
        reads = frozenset[str]().union(*(member.abilities.reads for member in self.members))
        self.abilities = Abilities(gives, reads, new_items=any(member.abilities.new_items for member in self.members))

    @property
    def parts(self) -> tuple[Component, ...]:
        return self.members

    @property
    def length(self) -> int:
        return max(member.length for member in self.members)

    def check(self, dataset: Dataset, text: Encoder) -> None:
        for member in self.members:
            member.check(dataset, text)

    def prepare(self, dataset: Dataset, content: ItemContent, features: FeatureSet) -> None:
        """Weights that were chosen stay, so that members can be trained again under them."""
        self.known = content.known  # [items] bool
        self.new = None if self.new_item_share is None else NewItems(self.new_item_share)
        self.mixed = {head: self.mixed.get(head, self.start()) for head in self.objective.heads if head != "ranking"}
        for member in self.members:
            member.objective = self.objective
            member.prepare(dataset, content, features)

    def start(self) -> Tensor:
        """[members] weights before any are chosen."""
        return torch.tensor([1.0 if w is None else w for w in self.said])

    def told(self, queries: QueryBatch) -> Tensor:
        """[members, B, items] what is added up, before weights."""
        for member in self.members:
            if isinstance(member, nn.Module) and member.training:
                member.eval()
        return torch.stack([self._comparable(member.score(queries)) for member in self.members])

    def _comparable(self, scores: Tensor) -> Tensor:
        if self.options.of == "scores":
            return standardised(scores, self.known)
        among = scores[:, self.known].sort(dim=1).values
        before = among.shape[1] - torch.searchsorted(among, scores.contiguous(), right=True)  # known items that score higher
        return 1 / (FIRST_RANKS + 1 + before)

    def score(self, queries: QueryBatch, items: Tensor | None = None) -> Tensor:
        listed = self._listed(queries, items)
        return listed if self.new is None else listed + self.new.of(self.known, items)

    def _listed(self, queries: QueryBatch, items: Tensor | None = None) -> Tensor:
        """As ``score``, but for what new items have more: what the first head says where none is of lists."""
        if "ranking" in self.objective.heads:
            whole = torch.einsum("m,mbn->bn", self.weights, self.told(queries))
            if items is None:
                return whole
            return whole[:, items] if items.ndim == 1 else whole.gather(1, items)
        if items is not None and items.ndim == 2:
            return self._stated(queries, items)
        codes = torch.arange(len(self.known)) if items is None else items
        return torch.cat([self._stated(queries, some.expand(len(queries), -1)) for some in codes.split(AT_ONCE)], dim=1)

    def _stated(self, queries: QueryBatch, items: Tensor) -> Tensor:
        """[B, n] what the first head says of items [B, n]."""
        states = {"click": self.clicks, "rating": self.ratings, "conversion": self.conversions}
        return states[self.objective.first()](queries, items)

    def clicks(self, queries: QueryBatch, items: Tensor) -> Tensor:
        return self._mean("click", [member.clicks(queries, items) for member in self.members])

    def ratings(self, queries: QueryBatch, items: Tensor) -> Tensor:
        return self._mean("rating", [member.ratings(queries, items) for member in self.members])

    def conversions(self, queries: QueryBatch, items: Tensor) -> Tensor:
        return self._mean("conversion", [member.conversions(queries, items) for member in self.members])

    def _shares(self, head: str) -> Tensor:
        """[members] weights of a head, 1 in all."""
        return self.mixed[head] / self.mixed[head].sum()

    def _mean(self, head: str, told: list[Tensor]) -> Tensor:
        return torch.einsum("m,mbn->bn", self._shares(head), torch.stack([one.float() for one in told]))

    def reasons(self, queries: QueryBatch, items: Tensor) -> dict[str, Tensor]:
        """The members' reasons, weighed; ``usual`` is what the average item has less. Without a ranking head ``taste`` is also what members state
        beside their scores, such as the middle of the scale."""
        if "ranking" not in self.objective.heads:
            out = _weighed([member.reasons(queries, items) for member in self.members], self._shares(self.objective.first()))
            rest = self._stated(queries, items) - torch.stack(list(out.values())).sum(0)
            out["taste"] = out["taste"] + rest if "taste" in out else rest
        elif self.options.of == "ranks":
            out = {"taste": self._listed(queries, items)}
        else:
            among = [member.score(queries)[:, self.known] for member in self.members]
            usual = [{"usual": -scores.mean(1, keepdim=True).expand(items.shape)} for scores in among]
            parts = [{**member.reasons(queries, items), **less} for member, less in zip(self.members, usual, strict=True)]
            out = _weighed(parts, [weight / spread(scores) for weight, scores in zip(self.weights, among, strict=True)])
        if self.new is not None:
            out["new"] = out.get("new", 0) + self.new.of(self.known, items)
        return out

    def add_items(self, content: ItemContent) -> None:
        self.known = content.known
        for member in self.members:
            member.add_items(content)

    def change_items(self, content: ItemContent, items: Tensor) -> None:
        for member in self.members:
            member.change_items(content, items)

    @property
    def new_item_share(self) -> float | None:
        """The largest of its members', each of which has none within."""
        return max((member.new_item_share for member in self.members if member.new_item_share is not None), default=None)

    def balance(self, queries: QueryBatch, taken: tuple[Tensor, Tensor]) -> None:
        assert self.new is not None
        with torch.no_grad():
            self.new.settle_lists(self._listed(queries), taken, self.known)

    def likeness(self) -> Tensor | None:
        return next((vectors for vectors in (member.likeness() for member in self.members) if vectors is not None), None)

    def without_context(self) -> Blend | None:
        blind = [member.without_context() for member in self.members]
        if all(other is None for other in blind):
            return None
        settings = [
            member if other is None else {**other.settings(), "use": member["use"], **({"weight": member["weight"]} if "weight" in member else {})}
            for member, other in zip(self.options.members, blind, strict=True)
        ]
        return Blend(**{**self.settings(), "members": settings})

    def state(self) -> dict[str, Tensor]:
        parts = {f"{place}.{name}": tensor for place, member in enumerate(self.members) for name, tensor in member.state().items()}
        new = {} if self.new is None else {"new.lift": self.new.lift}
        return {"weights": self.weights, **new, **{f"weights.{head}": weights for head, weights in self.mixed.items()}, **parts}

    def load_state(self, state: dict[str, Tensor]) -> None:
        self.weights = state["weights"]
        if self.new is not None and "new.lift" in state:  # else a run of before, whose members have what new items get
            self.new.lift = state["new.lift"]
        self.mixed = {head: state[f"weights.{head}"] for head in self.mixed}
        for place, member in enumerate(self.members):
            own = f"{place}."
            member.load_state({name.removeprefix(own): tensor for name, tensor in state.items() if name.startswith(own)})


def _weighed(parts: Sequence[Mapping[str, Tensor]], weights: Iterable[Tensor]) -> dict[str, Tensor]:
    """The sum by kind; a weight is a number or [B, 1], a part [B, n]."""
    out: dict[str, Tensor] = {}
    for own, weight in zip(parts, weights, strict=True):
        for kind, part in own.items():
            out[kind] = out.get(kind, torch.zeros_like(part)) + weight * part
    return out
