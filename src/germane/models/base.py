"""The contract of a model: queries and items go in, scores come out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from ..calibration import Calibration
from ..component import Component
from ..encoders import LearningTexts
from ..errors import AbilityError
from ..losses import Objective

if TYPE_CHECKING:
    from ..batches import QueryBatch
    from ..data import Dataset
    from ..encoders import Encoder, ItemContent
    from ..features import FeatureSet

__all__ = ["Abilities", "Counted", "Learned", "Model", "TwoSided"]


@dataclass(frozen=True)
class Abilities:
    """What a model gives and what of a query it reads."""

    gives: frozenset[str] = frozenset({"ranking"})
    """Of ``ranking``, ``click``, ``rating``, ``conversion``."""
    reads: frozenset[str] = field(default_factory=frozenset)
    """Of ``history``, ``context``, ``text``, ``words``, ``side``, ``time``."""
    new_items: bool = False
    """Whether items added after training get a score of their own."""
    tunes: bool = False
    """Whether it can learn through items' texts, so that the language model learns with it."""


class Model(Component, ABC):
    """A part that scores items for queries. Knows nothing of files, policies or HTTP."""

    abilities: Abilities = Abilities()
    objective: Objective = Objective()
    """What training asks for; told before ``prepare``."""
    calibration: Calibration | None = None
    """What turns the click head's logits into probabilities, fitted after training; None: a sigmoid."""

    @property
    def parts(self) -> tuple[Component, ...]:
        """The single models that it is made of."""
        return (self,)

    @property
    def length(self) -> int:
        """How many of the newest events it reads."""
        return int(getattr(self.options, "length", 200)) if "history" in self.abilities.reads else 1

    @property
    def device(self) -> torch.device:
        """Where it reads its queries: the CPU, but for one that is being trained elsewhere."""
        return torch.device("cpu")

    def check(self, dataset: Dataset, text: Encoder) -> None:
        """Refuse, in a sentence, data that this model cannot learn from. Asked before texts are encoded and before anything is trained."""

    @abstractmethod
    def prepare(self, dataset: Dataset, content: ItemContent, features: FeatureSet) -> None:
        """Take sizes and constants; nothing is learnt yet. Called once, before fitting or before ``load_state``."""

    @abstractmethod
    def score(self, queries: QueryBatch, items: Tensor | None = None) -> Tensor:
        """[queries, n] scores of the ranking head. ``items``: None = the whole catalogue, [n] shared, [queries, n] own rows."""

    def predict(self, queries: QueryBatch, items: Tensor, head: str) -> Tensor:
        """[queries, n] what a head says of items [queries, n]: a probability (``click``, calibrated where the model is; ``conversion``, given the
        click), a rating in its own unit, or the ranking score. A model of one's own answers ``clicks``, ``ratings`` and ``conversions`` instead."""
        if head == "ranking":
            return self.score(queries, items)
        if head not in self.objective.heads:
            raise AbilityError(f"{type(self).__name__} has no {head} head; it was trained for {', '.join(self.objective.heads)}.")
        if head == "rating":
            return self.ratings(queries, items)
        if head == "conversion":
            return self.conversions(queries, items).double().sigmoid()
        logits = self.clicks(queries, items)
        return logits.double().sigmoid() if self.calibration is None else self.calibration(logits)

    def clicks(self, queries: QueryBatch, items: Tensor) -> Tensor:
        """[queries, n] logits of the click head for items [queries, n]."""
        raise AbilityError(f"{type(self).__name__} gives no clicks.")

    def ratings(self, queries: QueryBatch, items: Tensor) -> Tensor:
        """[queries, n] ratings of items [queries, n], in their own unit."""
        raise AbilityError(f"{type(self).__name__} gives no ratings.")

    def conversions(self, queries: QueryBatch, items: Tensor) -> Tensor:
        """[queries, n] logits of the conversion head for items [queries, n]: that a click converts in the end, whenever."""
        raise AbilityError(f"{type(self).__name__} gives no conversions.")

    def reasons(self, queries: QueryBatch, items: Tensor) -> dict[str, Tensor]:
        """Parts of the score by kind, each [queries, n], for items [queries, n]; they sum to ``score``."""
        return {"popularity": self.score(queries, items)}

    @property
    def wants_vocabulary(self) -> bool:
        """Whether it reads ``ItemContent.vocabulary``, which costs the encoder a pass over the words."""
        return any(isinstance(part, Model) and part is not self and part.wants_vocabulary for part in self.parts)

    @property
    def wants_past_moments(self) -> bool:
        """Whether it reads the context of a history's events, which has to be gathered event by event; else ``history_moments`` may be empty."""
        others = [part for part in self.parts if isinstance(part, Model) and part is not self]
        return any(part.wants_past_moments for part in others) if others else True

    @property
    def new_item_share(self) -> float | None:
        """Share of the places in lists that items without training events are to have; None: what their own scores earn."""
        return None

    @property
    def wants_balance(self) -> bool:
        """Whether ``balance`` does anything."""
        return self.new_item_share is not None

    def balance(self, queries: QueryBatch, taken: tuple[Tensor, Tensor]) -> None:
        """Settle, where the options ask for it, what is to hold over many lists: told once training is done and when items were added.

        ``taken``: (query number, item code) of what lists do not show.
        """

    def add_items(self, content: ItemContent) -> None:
        """Score these items too from now on: ``content`` holds the old items and, behind them, the new."""

    def change_items(self, content: ItemContent, items: Tensor) -> None:
        """Score ``items`` [m], none of which training knew, by what ``content`` says of them now. What is made of an item's content is made anew;
        a model that takes all from ``content`` in ``add_items`` has no more to do."""
        self.add_items(content)

    def likeness(self) -> Tensor | None:
        """[items, any width] vectors whose cosine tells how alike two items are to this model. None: it has none; texts tell it then."""
        return None

    def without_context(self) -> Model | None:
        """The same model, untrained, blind to context: trained alike, it tells what context is worth. None: this one reads no context."""
        return None

    @abstractmethod
    def state(self) -> dict[str, Tensor]:
        """What was learnt, by name; goes into ``model.safetensors``."""

    @abstractmethod
    def load_state(self, state: dict[str, Tensor]) -> None:
        """Take back what ``state`` gave."""


class Counted(Model):
    """Counts and closed forms: fitted in one call."""

    @abstractmethod
    def fit(self, dataset: Dataset) -> None:
        """Learn from these events."""


class Learned(Model, nn.Module):
    """Fitted by gradients: the training loop calls ``loss`` and nothing else."""

    learns_from: ClassVar[Literal["timelines", "rows"]] = "timelines"
    """What ``loss`` takes: stretches of timelines (``Batch``) or single rows (``RowBatch``)."""

    @property
    def device(self) -> torch.device:
        return next((weight.device for weight in self.parameters()), torch.device("cpu"))

    by_rows: ClassVar[tuple[str, ...]] = ()
    """Names of tables that training reads by calling them alone, so that their rows may lie on several processes."""

    def warm(self, dataset: Dataset, content: ItemContent) -> None:
        """Take constants from the training events, such as counts; once, before the first step."""

    def texts_that_learn(self) -> LearningTexts | None:
        """Those that it learns through, where its language model is not frozen; their parameters are among its own."""
        return next((part for part in self.modules() if isinstance(part, LearningTexts)), None)

    def refresh(self, encode: Callable[[Sequence[str]], Tensor]) -> None:
        """Work out anew what rests on the language model as it stands: told at the end of each epoch, before validation."""

    def gathered(self) -> Tensor | None:
        """[items, width] the texts' vectors that this training step reads, at which its gradients gather. None: the language model is frozen."""
        return None

    def carry(self, number: int = 0, count: int = 1) -> None:
        """Carry what has gathered on to the language model, at the end of a step; of the texts that it takes, every ``count``-th from ``number``
        on."""

    settled: ClassVar[tuple[str, ...]] = ()
    """Names of tensors that are no weights and that ``settle`` works out anew."""

    def settle(self, text: Tensor) -> None:
        """The language model learns no more: ``text`` [items, width] are the items' vectors from now on."""

    @abstractmethod
    def loss(self, batch: Any, objective: Objective) -> dict[str, Tensor]:
        """Losses by head, each a scalar; the objective weighs them. ``batch``: see ``learns_from``."""

    def state(self) -> dict[str, Tensor]:
        return {name: tensor.detach().cpu().contiguous() for name, tensor in self.state_dict().items()}

    def load_state(self, state: dict[str, Tensor]) -> None:
        self.load_state_dict(state)


class TwoSided(Learned):
    """Scores the whole catalogue by one product of query vectors and item vectors."""

    @abstractmethod
    def query_vectors(self, queries: QueryBatch) -> Tensor:
        """[queries, width]"""

    @abstractmethod
    def item_vectors(self, items: Tensor) -> Tensor:
        """[items, width]"""

    def score(self, queries: QueryBatch, items: Tensor | None = None) -> Tensor:
        q = self.query_vectors(queries)
        if items is None or items.ndim == 1:
            codes = torch.arange(self.n_items, device=q.device) if items is None else items
            return q @ self.item_vectors(codes).T  # [queries, n]
        own = self.item_vectors(items.reshape(-1)).reshape(*items.shape, -1)  # [queries, n, width]
        return torch.einsum("qd,qnd->qn", q, own)

    n_items: int
    """Size of the catalogue, added items included."""

    @property
    @abstractmethod
    def known_items(self) -> Tensor:
        """[items] bool: those that training knows. The others are nobody's negatives."""
