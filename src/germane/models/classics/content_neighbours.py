"""Content neighbours: what reads like the things taken before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from ...batches import QueryBatch
from ...component import Options
from ...data.dataset import Dataset
from ...encoders import ItemContent, NoText, Whitening
from ...errors import AbilityError
from ...features import FeatureSet
from ...search_space import Searched
from ..base import Abilities
from .from_history import FromHistory, faded

if TYPE_CHECKING:
    from ...encoders import Encoder

__all__ = ["ContentNeighbours", "ContentNeighboursOptions"]

NEEDS_TEXT = (
    "ContentNeighbours compares the texts of items and finds none: name them in [data.columns] text and let [text] use an encoder, "
    "or take ItemNeighbours."
)


class ContentNeighboursOptions(Options):
    fade: Annotated[float, Searched(0.5, 1.0)] = Field(default=0.8, gt=0, le=1)
    """Weight of an event against the one after it."""
    text_width: Annotated[int, Searched(choices=(64, 128, 256))] = Field(default=256, ge=1)
    """Width of the whitened text vectors."""


class ContentNeighbours(FromHistory):
    """Cosine between an item's text and the texts of the history, newer ones weighing more; all texts whitened.

    Needs no one else's behaviour: prefer it where events are few, and for new items, which are scored as soon as they are added. Where events
    are many, ``ItemNeighbours`` knows more, and ``ContextTransformer`` has this very term beside what it learns.
    Memory: items × text_width; a query costs the same in multiplications. Fitting takes the principal axes of the texts.
    """

    options: ContentNeighboursOptions
    abilities = Abilities(reads=frozenset({"history", "text"}), new_items=True)
    kind: ClassVar[str] = "content"

    def check(self, dataset: Dataset, text: Encoder) -> None:
        if isinstance(text, NoText) or not dataset.columns.text:
            raise AbilityError(NEEDS_TEXT)

    def prepare(self, dataset: Dataset, content: ItemContent, features: FeatureSet) -> None:
        if not content.text.any():
            raise AbilityError(NEEDS_TEXT)
        self.n_items, self.content = content.n_items, content
        width = min(self.options.text_width, content.width)
        self._take(Whitening(torch.zeros(content.width), torch.zeros(content.width, width)), torch.zeros(self.n_items, width))

    def fit(self, dataset: Dataset) -> None:
        known = self.content.text[self.content.known]
        whitening = Whitening.fit(known if known.any() else self.content.text, self.vectors.shape[1])
        self._take(whitening, whitening.transform(self.content.text))

    def _take(self, whitening: Whitening, vectors: Tensor) -> None:
        self.whitening, self.vectors = whitening, vectors  # [items, text width]

    def catalogue(self, queries: QueryBatch) -> Tensor:
        codes, weights = faded(queries.history, self.options.fade, self.n_items)
        taste = (self.vectors[codes] * weights[..., None]).sum(1)
        return functional.normalize(taste, dim=1) @ self.vectors.T

    def likeness(self) -> Tensor:
        return self.vectors

    def add_items(self, content: ItemContent) -> None:
        self._take(self.whitening, torch.cat([self.vectors, self.whitening.transform(content.text[self.n_items :])]))
        self.n_items = content.n_items

    def change_items(self, content: ItemContent, items: Tensor) -> None:
        vectors = self.vectors.clone()
        vectors[items] = self.whitening.transform(content.text[items])
        self._take(self.whitening, vectors)

    def state(self) -> dict[str, Tensor]:
        return {"vectors": self.vectors.contiguous(), **{f"whitening.{name}": tensor.contiguous() for name, tensor in self.whitening.state().items()}}

    def load_state(self, state: dict[str, Tensor]) -> None:
        self._take(Whitening.from_state({name: state[f"whitening.{name}"] for name in ("mean", "matrix")}), state["vectors"])
