"""How long steps are as training goes on."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .options import TrainingOptions

__all__ = ["factor_at", "falls"]


def factor_at(options: TrainingOptions, step: float, steps_an_epoch: int, figures: Sequence[float] = (), *, smaller: bool = True) -> float:
    """The share of the learning rate that a step takes, from 0: rising over ``warmup``, then by ``schedule`` over what is left of ``epochs``.

    ``figures``: those of the epochs so far that ``plateau`` goes by; ``smaller`` ones are better. All of it follows from what a checkpoint holds.

    >>> options = TrainingOptions(schedule="linear", warmup=2, epochs=3)
    >>> [factor_at(options, step, 2) for step in range(6)]
    [0.5, 1.0, 1.0, 0.75, 0.5, 0.25]
    >>> plateau = TrainingOptions(schedule="plateau", warmup=0, plateau_patience=1)
    >>> factor_at(plateau, 8, 2, [3.0, 2.0, 2.5, 2.1])  # twice no better than 2.0
    0.25

    Source of ``inverse_sqrt``: Vaswani et al., Attention Is All You Need, 2017; of ``cosine``: Loshchilov and Hutter, SGDR, 2017.
    """
    whole = options.epochs * steps_an_epoch
    warmup = options.warmup if options.warmup >= 1 else options.warmup * whole
    if step + 1 < warmup:
        return (step + 1) / warmup
    if options.schedule == "inverse_sqrt":
        return math.sqrt(max(warmup, 1) / (step + 1))
    if options.schedule == "plateau":
        return options.plateau_factor ** falls(figures, options.plateau_patience, smaller=smaller)
    share = min(1.0, max(0.0, step - warmup) / max(1, whole - warmup))
    return {"constant": 1.0, "linear": 1 - share, "cosine": 0.5 * (1 + math.cos(math.pi * share))}[options.schedule]


def falls(figures: Sequence[float], patience: int, *, smaller: bool) -> int:
    """How often ``patience`` epochs in a row brought nothing better than the best before them.

    >>> falls([0.1, 0.2, 0.2, 0.1, 0.3], 2, smaller=False)
    1
    """
    best, waited, fallen = math.inf, 0, 0
    for figure in figures:
        cost = figure if smaller else -figure
        waited = 0 if cost < best else waited + 1
        best = min(best, cost)
        if waited == patience:
            waited, fallen = 0, fallen + 1
    return fallen
