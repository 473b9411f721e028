"""The bar of a long training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..training import Progress, Told

__all__ = ["training_bar"]


@contextmanager
def training_bar(quiet: bool, what: str = "") -> Iterator[Progress | None]:
    """``what`` is trained, steps of the running epoch, its loss, the last validation figure and the time; nothing when quiet.

    It appears with the first step, so that what is refused or noted before stands alone.
    """
    if quiet:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn(what),
        TextColumn("epoch {task.fields[epoch]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
    )
    bar = Bar(*columns, console=Console(stderr=True))
    last = [""]

    def show(told: Told) -> None:
        if not bar.tasks:
            bar.add_task("", epoch=0)
            bar.start()
        if told.figure is not None:
            last[0] = f" validation {told.figure:.4f}"
        bar.update(bar.task_ids[0], completed=told.step, total=told.steps, epoch=told.epoch, description=f"loss {told.loss:.3f}{last[0]}")

    try:
        yield show
    finally:
        if bar.tasks:
            bar.stop()
