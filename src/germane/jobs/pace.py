"""How fast a training goes, and how long it will still take."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..training import Told

__all__ = ["Pace"]


class Pace:
    """Hears a training step by step. ``clock`` gives seconds.

    What is left is foreseen from the epochs that ended, validation included, or from the steps of the first one; patience may end a training
    before.

    >>> from itertools import count
    >>> pace = Pace(clock=count(0.0, 2.0).__next__)
    >>> for step in (1, 2, 3):
    ...     pace(Told(epoch=1, step=step, steps=5, loss=1.0, losses={}, rate=0.1, targets=100.0, ahead=1))
    >>> pace.events_per_second, pace.seconds_left
    (50.0, 14.0)
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.clock = clock
        self.events_per_second: float | None = None
        """Of what is learnt from, in the running epoch; None: only one step is known."""
        self.seconds_left: float | None = None
        self._at: tuple[str, int] | None = None
        """Part and epoch."""

    def __call__(self, told: Told) -> None:
        now = self.clock()
        before, self._at = self._at, (told.part, told.epoch)
        if before is None or told.part != before[0] or told.epoch < before[1]:  # another model: nothing is known of it yet
            self._began, self._events, self._steps = now, 0.0, 0
            self._ended, self._lasted = 0, 0.0
        elif told.ended:
            self._ended, self._lasted = self._ended + 1, self._lasted + now - self._began
            self._began, self._events, self._steps = now, 0.0, 0
            self.seconds_left = told.ahead * self._lasted / self._ended
        else:
            self._events, self._steps = self._events + told.targets, self._steps + 1
            spent = max(now - self._began, 1e-9)
            self.events_per_second = self._events / spent
            epoch = self._lasted / self._ended if self._ended else spent / self._steps * told.steps
            self.seconds_left = epoch * (told.ahead + 1 - told.step / told.steps)
