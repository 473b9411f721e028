"""Texts of the catalogue while their language model learns."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from .adaptation import Adaptation, adapt, depths, trained
from .importance import importance_sample
from .language_model import LanguageModel
from .lower_states import LowerStates

__all__ = ["LearningTexts", "behind", "frozen_of"]


def behind(prefix: str, texts: Sequence[str]) -> list[str]:
    """Each text behind the prefix; one that is blank stays so."""
    return [prefix + text if text.strip() else text for text in texts]


def frozen_of(said: int | None, epochs: int) -> int:
    """In how many of ``epochs`` the language model waits: half at most, where nothing is said."""
    return epochs // 2 if said is None else min(said, epochs)


class LearningTexts(nn.Module):
    """Vectors of some items with gradients, of all without. Only what learns is among its parameters and in its state.

    End to end in two goes, so that a catalogue of any size fits: a training step reads all items alike, by their vectors of the last pass over all,
    and gathers the loss's gradients at these; then ``carry`` encodes ``fresh`` of the items anew, drawn by the size of their gradient, and takes
    these on to the language model. With as many as the step reads, and vectors as new as the language model, this is the whole gradient (Gao et al.
    2021, arXiv 2101.06983); with fewer it is so on average. Where nothing learns in the lowest layers, what they make of a text is kept, in ``room``
    bytes at most (``LowerStates``).
    """

    def __init__(
        self,
        model: LanguageModel,
        how: Adaptation,
        texts: Sequence[str],
        *,
        fresh: int,
        batch: int,
        room: float = 0.0,
        frozen_epochs: int | None = None,
        unfreeze: int = 0,
        refreshes: int = 1,
        prefix: str = "",
        words_prefix: str = "",
        vary: Callable[[Sequence[str], np.random.Generator], list[str]] | None = None,
    ) -> None:
        super().__init__()
        self.bare, self.prefix, self.words_prefix, self.vary = list(texts), prefix, words_prefix, vary
        self.texts, self.fresh, self.batch = behind(prefix, texts), fresh, batch
        self.unfreeze, self.refreshes = unfreeze, refreshes
        self.frozen_epochs = frozen_epochs
        self.until_settled = frozen_epochs is None
        """Whether it waits until all else has found its place, ``frozen_epochs`` at most."""
        self.ahead = True
        """Lower states of all texts are worked out before the first is learnt from, so that a resumed training has the very same."""
        self.beside = how.tuning != "full" and how.top is None
        """Whether what learns was put in beside the pretrained weights, and not these themselves."""
        learns = adapt(model, how)
        self.names = list(learns)
        self.depths = depths(model.body, self.names)
        self.lower = LowerStates(model, max(0, min(self.depths, default=0) - 1), room)
        self.learned = nn.ParameterList(learns.values())
        self.register_buffer("there", torch.tensor([bool(text.strip()) for text in texts]), persistent=False)

    there: Tensor
    """[items] bool: it has a text."""

    @property
    def model(self) -> LanguageModel:
        return self.lower.model  # no part of this module, so that what is frozen is in no state and no checkpoint

    def forward(self, items: Tensor, rng: np.random.Generator | None = None) -> Tensor:
        """[n] codes of items with texts -> [n, width], with gradients. With ``rng`` their texts are said otherwise, where ``vary`` can."""
        if self.vary is None or rng is None:
            return self.lower([self.texts[item] for item in items.tolist()])
        return self.lower(behind(self.prefix, self.vary([self.bare[item] for item in items.tolist()], rng)), keep=False)

    def carry(
        self, gathered: Tensor, shape: Callable[[Tensor], Tensor], *, number: int = 0, count: int = 1, draws: torch.Generator | None = None
    ) -> None:
        """Add to the gradients of what learns what ``gathered`` [items, width], sparse or dense, asks of it.

        ``shape``: from the language model's vectors to those of ``gathered``. Of several processes, which know the same ``gathered`` and draw the
        same texts, each takes every ``count``-th of these. ``batch`` at a time go through the model, so that more of them take no more memory.
        """
        if not self.awake:
            return
        rows = gathered.coalesce() if gathered.is_sparse else gathered.to_sparse(1)
        items, asked = rows.indices()[0], rows.values()
        items, asked = items[self.there[items]], asked[self.there[items]]
        sizes = asked.norm(dim=1).nan_to_num(1.0, 1.0)  # what overflowed is carried on, so that it is noticed there
        drawn, chances = importance_sample(sizes, self.fresh, draws)
        some, weights = items[drawn], asked[drawn] / chances[:, None]
        share = math.ceil(len(some) / count)  # of each process; the last ones may have one less
        if count > 1:
            mine = slice(number, None, count) if number < len(some) else slice(0, 1)  # all go through the model, or none
            some, weights = some[mine], weights[mine] * (number < len(some))
        seed = torch.randint(1 << 62, (), generator=draws, device=some.device)
        rng = np.random.default_rng([int(seed), number]) if self.vary is not None else None
        if len(some):
            order = torch.tensor([len(self.texts[item]) for item in some.tolist()]).argsort().to(some.device)  # little padding
            for together in order.tensor_split(math.ceil(share / max(2, self.batch))):  # as often on all processes
                (shape(self(some[together], rng)) * weights[together]).sum().backward()

    def encode(self, texts: Sequence[str]) -> Tensor:
        """[texts, width] as the model stands, without gradients and dropout."""
        was = self.model.training
        self.model.eval()
        try:
            return self.model.encode(texts, self.batch, self.lower)
        finally:
            self.model.train(was)

    def encode_words(self, texts: Sequence[str]) -> Tensor:
        """The same of what users type."""
        return self.encode(behind(self.words_prefix, texts))

    def checkpointing(self, on: bool = True) -> None:
        """See ``LanguageModel``."""
        self.model.checkpointing(on)

    def layers(self) -> list[list[nn.Parameter]]:
        """What learns, layer by layer from the bottom to the top."""
        found: dict[int, list[nn.Parameter]] = {}
        for depth, parameter in zip(self.depths, self.learned, strict=True):
            found.setdefault(depth, []).append(parameter)
        return [found[depth] for depth in sorted(found)]

    def wait(self, epochs: int) -> None:
        """Of a training of so many; one that is gone through again for the epochs that were best waits as the first did."""
        self.frozen_epochs = frozen_of(self.frozen_epochs, epochs)

    def wake(self, epoch: int) -> None:
        """It learns from ``epoch`` on, from 0, and waits no longer for anything."""
        self.frozen_epochs, self.until_settled = epoch, False

    def begin(self, epoch: int) -> None:
        """Nothing learns in the first ``frozen_epochs`` (Kumar et al. 2022, arXiv 2202.10054); then, with ``unfreeze``, one layer more each so many
        epochs, from the top (Howard and Ruder 2018). ``epoch`` from 0."""
        layers, since = self.layers(), epoch - (self.frozen_epochs or 0)
        lowest = len(layers) - 1 - since // self.unfreeze if self.unfreeze else 0
        for place, layer in enumerate(layers):
            for parameter in layer:
                parameter.requires_grad_(since >= 0 and place >= lowest)
        if self.awake and self.ahead:
            self.lower.fill(self.texts, self.batch)

    @property
    def awake(self) -> bool:
        """Whether anything learns in this epoch."""
        return any(parameter.requires_grad for parameter in self.learned)

    def due(self, done: int, steps: int) -> bool:
        """Whether all texts are to be encoded anew after ``done`` of an epoch's ``steps``. At its end they are in any case, if it is ``awake``."""
        return self.awake and done < steps and done % math.ceil(steps / self.refreshes) == 0

    def learnt(self) -> dict[str, Tensor]:
        """What it has learned, by its name in the transformer."""
        return trained(self.model.body, self.names)

    def train(self, mode: bool = True) -> Self:
        self.model.train(mode)
        return super().train(mode)

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> Self:
        self.model._apply(fn)  # type: ignore[no-untyped-call]
        self.lower.forget()
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call, no-any-return]
