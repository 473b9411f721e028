"""What the pretraining loop asks of an objective."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...encoders.adaptation import behind, layers_of
from ...errors import ConfigError

__all__ = ["HELD_OUT", "Learning", "Task", "held_apart", "top_layers"]

HELD_OUT = 2000
"""Texts or pairs that judge, at most."""


class Task(ABC):
    """A language model, what it reads, and what it is asked about it."""

    model: nn.Module
    """All that may learn."""
    chance: float
    """The loss of who knows nothing but how frequent words are, or nothing at all."""

    @abstractmethod
    def __len__(self) -> int:
        """Steps an epoch."""

    @abstractmethod
    def epoch(self, rng: np.random.Generator) -> list[Any]:
        """What ``loss`` is asked for, ``len(self)`` times, in an order of its own."""

    @abstractmethod
    def loss(self, batch: Any) -> Tensor:
        """Mean over the batch. All that is random is drawn from torch's generator."""

    @abstractmethod
    def held_out(self) -> float:
        """The same, of what nothing learns from; the same number for the same weights."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """The language model and its tokenizer, as transformers reads them."""


class Learning:
    """What of a module learns, by name, tied weights once: what has to be kept of it."""

    def __init__(self, module: nn.Module) -> None:
        self.parameters = {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}

    def state_dict(self) -> dict[str, Tensor]:
        return {name: parameter.detach() for name, parameter in self.parameters.items()}

    def load_state_dict(self, state: Mapping[str, Tensor], /) -> None:
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(state[name])


def held_apart(n: int, share: float, seed: int, what: str, least: int = 1) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places that learn and places that judge, of ``n``, each sorted; ``least`` of both."""
    if n < 2 * least:
        raise ConfigError(f"there are {n} {what}, and pretraining needs {2 * least} at least, since some are held out to judge: bring more.")
    aside = min(max(least, round(share * n)), HELD_OUT, n - least)
    order = np.random.default_rng([seed, n]).permutation(n)
    return np.sort(order[aside:]), np.sort(order[:aside])


def top_layers(body: nn.Module, layers: int | None, always: Iterable[nn.Parameter] = ()) -> None:
    """Let the last ``layers`` of a transformer learn, what comes after them, and ``always``; None: everything."""
    body.requires_grad_(layers is None)
    if layers is not None:
        stack = layers_of(body)
        if layers > len(stack):
            raise ConfigError(f"[pretraining] layers = {layers}: the language model has {len(stack)}.")
        for part in (*stack[-layers:], *behind(body)):
            part.requires_grad_(True)
    for parameter in always:
        parameter.requires_grad_(True)
