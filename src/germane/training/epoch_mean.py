"""The equal mean of the weights at the ends of epochs."""

from __future__ import annotations

import torch
from torch import nn

from .running_mean import RunningMean

__all__ = ["EpochMean"]


class EpochMean(RunningMean):
    """Stochastic weight averaging: from epoch ``since`` on, counted from 0, the ends of epochs count alike; before, the weights are worn as they are.

    Prefer it to ``RunningMean`` for the last of a long training at a learning rate that stays up, whose epochs end around an optimum that none of
    them meets. Costs one pass over the weights an epoch.

    >>> layer = nn.Linear(1, 1, bias=False)
    >>> mean = EpochMean(layer, since=1)
    >>> with torch.no_grad():
    ...     for epoch, weight in enumerate([5.0, 1.0, 2.0]):
    ...         _ = layer.weight.fill_(weight)
    ...         mean.ended(epoch)
    >>> with mean.worn():
    ...     layer.weight.item()
    1.5

    Source: Izmailov et al., Averaging Weights Leads to Wider Optima and Better Generalization, 2018.
    """

    def __init__(self, model: nn.Module, since: int) -> None:
        super().__init__(model, 0.0)
        self.since = since

    def update(self, step: int) -> None:
        """Steps do not count."""

    def ended(self, epoch: int, begun: int = 0) -> None:
        current, count = self._state(), max(1, epoch - max(self.since, begun) + 1)
        with torch.no_grad():
            torch._foreach_lerp_(list(self.means.values()), [current[name] for name in self.means], 1 / count)
