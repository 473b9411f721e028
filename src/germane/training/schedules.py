"""How long steps are as training goes on."""

from __future__ import annotations

import math

from .options import TrainingOptions

__all__ = ["rate_at"]


def rate_at(options: TrainingOptions, step: int, steps_an_epoch: int) -> float:
    """The learning rate of a step, from 0: rising over ``warmup`` steps, then by ``schedule`` over what is left of ``epochs``."""
    if step < options.warmup:
        return options.learning_rate * (step + 1) / options.warmup
    share = min(1.0, (step - options.warmup) / max(1, options.epochs * steps_an_epoch - options.warmup))
    return options.learning_rate * {"constant": 1.0, "linear": 1 - share, "cosine": 0.5 * (1 + math.cos(math.pi * share))}[options.schedule]
