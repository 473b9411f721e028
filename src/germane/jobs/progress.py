"""The bar of a long training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..training import Progress, Told
from .pace import Pace

__all__ = ["Stages", "training_bar"]

NARROW = 100
"""Columns of a terminal below which a line is made to fit into 80."""
Bar = Callable[[int, int], object]
"""Hears how much of how much is done."""


class Stages:
    """So many pieces of work on one bar, a like stretch each.

    >>> stages = Stages(lambda done, of: print(f"{done / of:.0%}"), 2)
    >>> first, second = stages.next(), stages.next()
    >>> first(1, 2), second(2, 2)
    25%
    100%
    (None, None)
    """

    PARTS = 1000

    def __init__(self, bar: Bar | None, count: int) -> None:
        self.bar, self.count, self.begun = bar, count, 0

    def next(self) -> Bar:
        """For the next of them."""
        before, self.begun = self.begun * self.PARTS, self.begun + 1

        def told(done: int, of: int) -> None:
            if self.bar is not None:
                self.bar(before + self.PARTS * done // max(1, of), self.count * self.PARTS)

        return told


@contextmanager
def training_bar(quiet: bool, what: str = "", of: str = "events") -> Iterator[Progress | None]:
    """``what`` is trained, how far the running epoch is, loss, events (or whatever it learns from, ``of``) a second, the last validation figure, the
    time, and what is left at most; nothing when quiet.

    It appears with the first step, so that what is refused or noted before stands alone.
    """
    if quiet:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Task, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Live
    from rich.text import Text

    class Took(TimeElapsedColumn):
        def render(self, task: Task) -> Text:
            return Text(clock(task.elapsed or 0.0))

    console = Console(stderr=True)
    narrow = console.width < NARROW
    columns = (
        TextColumn(what, markup=False),
        TextColumn("epoch {task.fields[epoch]}", markup=False),
        BarColumn(bar_width=4 if narrow else 10),
        TextColumn("{task.description}", markup=False),
        Took(),
        TextColumn("{task.fields[left]}", markup=False),
    )
    bar = Live(*columns, console=console)
    pace = Pace()
    figure = ""

    def show(told: Told) -> None:
        nonlocal figure
        pace(told)
        if not bar.tasks:
            bar.add_task("", epoch=0, left="")
            bar.start()
        if told.figure is not None:
            figure = f"{told.figure:.4f}"
        bar.update(
            bar.task_ids[0],
            completed=told.step,
            total=told.steps,
            epoch=f"{told.epoch} {told.part}".strip(),
            description=said(told, pace, figure, None if narrow and (what or told.part) else of),
            left=left(pace.seconds_left),
        )

    try:
        yield show
    finally:
        if bar.tasks:
            bar.stop()


def said(told: Told, pace: Pace, figure: str, of: str | None = "events") -> str:
    """What stands beside the bar; without ``of`` no speed.

    >>> said(Told(1, 1, 2, 0.25, {}, 0.1, 8.0), Pace(), ".1200")
    'loss 0.250, validation .1200'
    """
    speed = [] if pace.events_per_second is None or of is None else [f"{pace.events_per_second:,.0f} {of}/s"]
    return ", ".join([f"loss {told.loss:.3f}", *speed, *([f"validation {figure}"] if figure else [])])


def left(seconds: float | None) -> str:
    """
    >>> left(75.4)
    '≤ 1:15 left'
    """
    return "" if seconds is None else f"≤ {clock(seconds)} left"


def clock(seconds: float) -> str:
    """
    >>> clock(4.2), clock(75.4), clock(3605)
    ('0:04', '1:15', '1:00:05')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
