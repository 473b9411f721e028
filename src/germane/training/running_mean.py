"""A running mean of weights: steadier than the last step's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

__all__ = ["RunningMean"]


class RunningMean:
    """Exponential mean of a module's floating-point state; ``keep`` is the share of the old mean that a step leaves.

    Prefer it where epochs swing; ``EpochMean`` is for the last of a long training.

    Early steps leave less, (1 + step) / (10 + step), so that the mean forgets where training began. Costs one pass over the weights a step.

    >>> layer = nn.Linear(1, 1, bias=False)
    >>> mean = RunningMean(layer, 0.5)
    >>> with torch.no_grad():
    ...     _ = layer.weight.fill_(layer.weight.item() + 1)
    >>> mean.update(100)
    >>> with mean.worn():
    ...     inside = layer.weight.item()
    >>> round(layer.weight.item() - inside, 3)
    0.5

    Source: Polyak and Juditsky, Acceleration of Stochastic Approximation by Averaging, 1992.
    """

    def __init__(self, model: nn.Module, keep: float) -> None:
        self.model, self.keep = model, keep
        self.begin()

    def begin(self) -> None:
        """Of the weights as they are now, and of none before."""
        self.means = {name: tensor.detach().clone() for name, tensor in self._state().items()}

    def _state(self) -> dict[str, Tensor]:
        return {name: tensor for name, tensor in self.model.state_dict().items() if tensor.is_floating_point() and tensor.numel()}

    def update(self, step: int) -> None:
        """Take in the weights after ``step`` steps."""
        current = self._state()
        with torch.no_grad():
            torch._foreach_lerp_(list(self.means.values()), [current[name] for name in self.means], 1 - min(self.keep, (1 + step) / (10 + step)))

    def ended(self, epoch: int, begun: int = 0) -> None:
        """Take in the weights at the end of ``epoch``, from 0, where ``begin`` was called last before epoch ``begun``: nothing here, where each step
        counted."""

    @contextmanager
    def worn(self) -> Iterator[None]:
        """Inside, the module has the mean's weights; afterwards its own again."""
        own = {name: tensor.clone() for name, tensor in self._state().items()}
        self._put(self.means)
        try:
            yield
        finally:
            self._put(own)

    def _put(self, weights: dict[str, Tensor]) -> None:
        self.model.load_state_dict(weights, strict=False)

    def state(self) -> dict[str, Tensor]:
        return self.means

    def load(self, state: dict[str, Tensor]) -> None:
        self.means = {name: tensor.to(self.means[name].device) for name, tensor in state.items()}
