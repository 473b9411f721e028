"""Which learning rate: steps that grow until the loss does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
import torch

from ..batches import Batch, RowBatch, Rows, Timelines
from ..encoders.device import choose_device
from ..errors import TrainingError
from ..models import Learned
from .optimisers import optimisers_of
from .options import TrainingOptions
from .recompute import recompute
from .step import Stepper
from .trouble import NotANumber

__all__ = ["RangeTest", "range_test"]

LOW, HIGH, STEPS = 1e-5, 10.0, 120
KEEP = 0.9
"""Of the smoothed loss, what a step leaves."""
SETTLED = 20
"""Steps until the smoothed loss is that of many batches; before, it falls and rises with the luck of a few."""
FEWEST = SETTLED + 3
"""Steps, of which something can be said."""


@dataclass(frozen=True)
class RangeTest:
    """What the loss did as steps grew."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    """After the step of each rate, smoothed."""
    diverged: bool
    """Whether the loss, in the end, rose far or was no number."""

    @property
    def fell(self) -> bool:
        """Whether the loss fell at all once it had settled; else nothing can be told of the rates."""
        return int(np.argmin(self.losses[SETTLED:])) >= FEWEST - SETTLED

    @property
    def rose(self) -> bool:
        """Whether the longest steps did harm: took back a tenth and more of what was won."""
        best = min(self.losses[SETTLED:])
        return self.diverged or self.losses[-1] > best + (self.losses[SETTLED] - best) / 10

    @property
    def lowest(self) -> float:
        """The rate behind which the loss rose: where it was lowest."""
        return self.rates[SETTLED + int(np.argmin(self.losses[SETTLED:]))]

    @property
    def steepest(self) -> float:
        """The rate at which the loss fell fastest, along the logarithm of the rate and before it was lowest."""
        if not self.fell:
            return self.rates[SETTLED]
        end = SETTLED + int(np.argmin(self.losses[SETTLED:])) + 1
        fall = np.gradient(np.array(self.losses[SETTLED:end]), np.log(self.rates[SETTLED:end]))
        return self.rates[SETTLED + int(np.argmin(fall))]

    @property
    def suggestion(self) -> float:
        """The smaller of ``steepest`` and a tenth of ``lowest``, to two digits: what still falls fast and lies well before what does harm."""
        return float(f"{min(self.steepest, self.lowest / 10):.1e}")


def range_test(
    model: Learned, feed: Timelines | Rows, options: TrainingOptions, *, seed: int = 0, low: float = LOW, high: float = HIGH, steps: int = STEPS
) -> RangeTest:
    """Train ``model`` by steps whose learning rate rises from ``low`` to ``high``, by the same factor each, until the loss has risen far.

    The steps are those of training, with its optimiser, batches, accumulation and clipping; rates of parts keep their proportion. The model is
    spoilt by it: give it one that nobody needs. An error where it cannot take 23 steps.

    Source: Smith, Cyclical Learning Rates for Training Neural Networks, 2017.
    """
    device = choose_device(options.device)
    recompute(model, options.checkpointing)
    model.to(device).train()
    dataset = feed.table.dataset
    step = Stepper(model, optimisers_of(model, options, dataset.n_items, dataset.n_users), options, device)
    torch.manual_seed(seed)
    mean, rates, losses, diverged = 0.0, list[float](), list[float](), False
    for place, (group, rate) in enumerate(zip(_endless(feed, options.accumulate, seed), np.geomspace(low, high, steps), strict=False)):
        try:
            loss, _, _ = step(group, float(rate) / options.rate, f"a learning rate of {rate:.1e}", (seed, place))
        except NotANumber:
            diverged = True
            break
        mean = KEEP * mean + (1 - KEEP) * loss
        rates.append(float(rate))
        losses.append(mean / (1 - KEEP ** (place + 1)))
        best, first = min(losses), losses[0]
        if place >= FEWEST and losses[-1] > best + max(2 * (first - best), abs(first)):
            diverged = True
            break
    if len(rates) < FEWEST:
        raise TrainingError(f"The loss is not a number from a learning rate of {(rates or [low])[-1]:.1e} on: look for huge values in the data.")
    return RangeTest(tuple(rates), tuple(losses), diverged)


def _endless(feed: Timelines | Rows, batches: int, seed: int) -> Iterator[list[Batch] | list[RowBatch]]:
    for epoch in count():
        yield from feed.steps(np.random.default_rng([seed, epoch]), batches)
