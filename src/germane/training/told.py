"""What the loop tells of itself: to bars, trackers, estimates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Progress", "Told"]


@dataclass(frozen=True)
class Told:
    """A step, or the end of an epoch, which repeats its last step with the mean loss and the validation figure."""

    epoch: int
    """From 1. Of a pretraining: the steps up to a look at the held-out loss; 0 while a head is fitted."""
    step: int
    """Of this epoch, from 1."""
    steps: int
    """Of this epoch, as far as is known."""
    loss: float
    """Of the step; at the end of an epoch its mean."""
    losses: dict[str, float]
    """The same by head."""
    rate: float
    """The learning rate."""
    targets: float
    """What was learned from in this step, weights added up; at the end of an epoch in all of it."""
    figure: float | None = None
    """On validation."""
    ended: bool = False
    """Whether this is the end of an epoch."""
    part: str = ""
    """Which training of a whole job, as its caller names it: a member of a blend, a refit; empty: there is one, or it is the main one."""
    ahead: int = 0
    """Epochs after this one, at most, in this and all later parts, as far as the caller foresees."""


Progress = Callable[[Told], None]
