from __future__ import annotations

import pytest

from germane.jobs.pace import Pace
from germane.training import Told


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def tell(pace: Pace, clock: Clock, seconds: float, **told: object) -> None:
    clock.now += seconds
    pace(Told(**{"loss": 1.0, "losses": {}, "rate": 0.1, "targets": 10.0, "steps": 4, **told}))  # type: ignore[arg-type]


def test_validation_counts_once_an_epoch_has_ended() -> None:
    clock = Clock()
    pace = Pace(clock)
    for step in (1, 2, 3, 4):
        tell(pace, clock, 1.0, epoch=1, step=step, ahead=2)
    assert pace.events_per_second == 10 and pace.seconds_left == pytest.approx(2 * 4)
    tell(pace, clock, 7.0, epoch=1, step=4, ahead=2, ended=True)
    assert pace.seconds_left == pytest.approx(2 * 10), "three steps and the validation: the first step was not timed"
    tell(pace, clock, 2.0, epoch=2, step=1, ahead=1)
    assert pace.events_per_second == 5 and pace.seconds_left == pytest.approx(1.75 * 10)


def test_another_part_begins_anew() -> None:
    clock = Clock()
    pace = Pace(clock)
    for step in (1, 2):
        tell(pace, clock, 1.0, epoch=1, step=step, part="member 1")
    tell(pace, clock, 100.0, epoch=1, step=1, part="member 2")
    tell(pace, clock, 1.0, epoch=1, step=2, part="member 2")
    assert pace.events_per_second == 10
