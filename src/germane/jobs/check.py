"""A config and its data, looked at before anything is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from .. import times
from ..component import Faults
from ..config import Config
from ..data import Dataset, Split
from ..encoders import Encoder, PretrainedText
from ..errors import FetchError, TrainingError
from ..evaluation import check_calibration
from ..models import TwoStage
from ..training import choose_device
from ..types import Note
from .estimate import Estimate, estimate
from .learning_rate import Tried, try_rates
from .lessons import check_baselines, check_lessons
from .notes import notes_of

__all__ = ["Checked", "check"]


@dataclass(frozen=True)
class Checked:
    """What ``germane check`` tells."""

    config: Config
    dataset: Dataset
    split: Split
    notes: list[Note]
    """What is odd about the data, or about asking this model of them."""
    estimate: Estimate | None
    """None where it was not asked for."""
    rates: list[Tried] | None = None
    """Of each model that learns; None where it was not asked for."""

    def as_json(self) -> dict[str, Any]:
        data, parts, foreseen = self.dataset, self.split, self.estimate
        found: dict[str, Any] = {
            "events": len(data),
            "users": data.n_users,
            "items": data.n_items,
            "from": times.show(float(data.times.min())) if data.has_times else None,
            "to": times.show(float(data.times.max())) if data.has_times else None,
            "columns": {name: data.types.get(name) for name in data.types},
            "split": {"name": parts.name, "train": len(parts.train), "validation": len(parts.validation), "test": len(parts.test)},
            "notes": [{"code": note.code, "detail": note.detail} for note in self.notes],
        }
        if foreseen is not None:
            seconds = {"encode": foreseen.encode, "epoch": foreseen.epoch, "train": foreseen.train, "judge": foreseen.judge, "total": foreseen.total}
            found["estimate"] = {"seconds": seconds, "epochs": foreseen.epochs, "texts": foreseen.texts, "peak_mb": foreseen.peak_mb}
        if self.rates is not None:
            found["learning_rate"] = [tried.as_json() for tried in self.rates]
        return found

    def __str__(self) -> str:
        data, parts = self.dataset, self.split
        lines = [f"data      {len(data):,} events, {data.n_users:,} users, {data.n_items:,} items" + _span(data)]
        if data.types:
            lines.append("columns   " + ", ".join(f"{name} ({kind})" for name, kind in data.types.items()))
        lines.append(f"split     {parts.name}: {len(parts.train):,} train, {len(parts.validation):,} validation, {len(parts.test):,} test")
        lines.append(f"model     {self.config.model!r}, {self.config.policy!r}")
        lines += [f"note      {note.detail}" for note in self.notes]
        return "\n".join([*lines, *_foreseen(self.estimate), *map(str, self.rates or ())])


def check(
    config: str | Path, *, sets: Sequence[str] = (), timed: bool = True, rates: bool = False, doing: Callable[[str], object] = lambda what: None
) -> Checked:
    """Read a config and its data, divide them, make the parts; with ``timed`` also foresee time and memory, with ``rates`` try learning rates on
    models that are thrown away. Writes nothing. ``doing`` hears what is done now.

    What was encoded for the timing stays in the cache of text vectors.
    """
    read = Config.read(config, sets)
    doing("reading the data")
    dataset = read.dataset()
    doing(f"looking at {len(dataset):,} events")
    split = _divided(read, dataset)
    notes = notes_of(dataset, split, read)
    if not timed:
        notes += _device(read.training.device)
    foreseen = tried = None
    if timed:
        doing("timing some steps of the training")
        foreseen = estimate(read, dataset, split)
    if rates:
        doing("trying learning rates")
        tried = try_rates(read, dataset, split)
    return Checked(read, dataset, split, notes, foreseen, tried)


def _divided(read: Config, dataset: Dataset) -> Split:
    """The split; all that stands in the way of training on it is told at once."""
    faults = Faults()
    made = faults.attempt(lambda: read.recommender(dataset))
    if made is not None:
        faults.attempt(partial(_language_model, made.text))
    split = faults.attempt(lambda: read.split.divide(dataset))
    if split is not None:
        calibrate, model = read.training.calibrate, read.model
        faults.attempt(partial(check_lessons, read.training.objective(model), dataset, split))
        faults.attempt(partial(check_baselines, read, dataset, split))
        if calibrate is not None:
            faults.attempt(partial(check_calibration, calibrate, dataset, split))
        if isinstance(model, TwoStage):
            faults.attempt(partial(model.check_cases, len(split.validation)))
    faults.tell()
    assert split is not None  # else it was told
    return split


def _language_model(text: Encoder) -> None:
    """An error where it cannot do what is asked of it; of one that cannot be had now nothing is known."""
    if isinstance(text, PretrainedText):
        with suppress(FetchError):
            text.check()


def _device(name: str) -> Iterator[Note]:
    """A device that this machine lacks: the machine that trains may have it."""
    try:
        choose_device(name)
    except TrainingError as error:
        yield Note("no_device", f"[training] {str(error).rstrip('.')}; what trains on this machine will be refused")


def duration(seconds: float) -> str:
    """For people, no more exact than it is known.

    >>> duration(0.4), duration(75), duration(4000)
    ('1 s', '75 s', '67 min')
    """
    if seconds < 120:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _span(data: Dataset) -> str:
    return f", {times.show(float(data.times.min()))} to {times.show(float(data.times.max()))}" if data.has_times and len(data) else ""


def _foreseen(foreseen: Estimate | None) -> list[str]:
    if foreseen is None:
        return []
    if foreseen.encode is None:
        encode = f"{foreseen.texts:,} texts to encode with a language model that is not here yet, so their time is not known"
    else:
        encode = f"encoding {foreseen.texts:,} texts {duration(foreseen.encode)}" if foreseen.texts else "texts are encoded already"
    train = f"at most {foreseen.epochs} epochs of {duration(foreseen.epoch)}" if foreseen.epochs else f"fitting {duration(foreseen.train)}"
    return [
        f"time      about {duration(foreseen.total)} at most: {encode}, {train}, judging {duration(foreseen.judge)}",
        f"memory    about {foreseen.peak_mb / 1000:.1f} GB",
    ]
