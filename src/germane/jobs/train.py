"""Train a recommender on a dataset, judge it, and say how it went."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from ..batches import EventTable
from ..data import Dataset, LeaveLastOut, Split, Splitter
from ..errors import TrainingError
from ..evaluation import VARIANTS, Cases, EvaluationOptions, judge_cases, rows_of, validation_figure
from ..models import Counted, Learned
from ..recommender import Recommender
from ..training import Trained, TrainingOptions, train_model

__all__ = ["Judged", "cases_of", "evaluate", "fit", "judge", "train", "without_context"]

NOTHING_JUDGED = pl.DataFrame(schema={"row": pl.Int64, "user": pl.Int64, "item": pl.Int64, "rank": pl.Int64})

Progress = Callable[[int, int, int, float, float | None], None]


@dataclass
class Judged:
    """Rows of ``metrics.json`` and the figures of each case."""

    rows: list[dict[str, Any]]
    cases: pl.DataFrame = field(repr=False)

    def value(self, metric: str = "ndcg@10", segment: str = "all") -> float:
        return float(next(row["metrics"][metric]["value"] for row in self.rows if row["segment"] == segment))

    def __str__(self) -> str:
        if not self.rows:
            return "no held-out events to judge"
        shown = [m for m in self.rows[0]["metrics"] if m.split("@")[0] in ("ndcg", "recall", "mrr", "coverage")]
        lines = [f"{'model':<20}{'variant':<18}{'segment':<14}{'users':>6}  " + "  ".join(f"{m:>11}" for m in shown)]
        for row in self.rows:
            figures = "  ".join(f"{row['metrics'][m]['value']:>11.4f}" for m in shown)
            lines.append(f"{row['name']:<20}{row['variant']:<18}{row['segment']:<14}{row['n']:>6}  {figures}")
        against = self.rows[0]["p_against"]
        return "\n".join([*lines, *(f"p against {name}: {p:.4f}" for name, p in against.items())])


def train(
    recommender: Recommender,
    dataset: Dataset,
    *,
    split: Splitter | None = None,
    training: TrainingOptions | None = None,
    progress: Progress | None = None,
) -> Recommender:
    """Fit ``recommender`` on ``dataset`` and give it back. Absent: leave-last-out and the default training options.

    Afterwards it remembers all events, also those held out, as what users did.
    """
    options = training or TrainingOptions()
    parts = (split or LeaveLastOut()).divide(dataset)
    fit(recommender, dataset, parts, options, progress=progress)
    recommender.split = parts
    recommender.remember(dataset)
    return recommender


def evaluate(
    recommender: Recommender, dataset: Dataset, *, split: Splitter | None = None, options: EvaluationOptions | None = None, part: str = "test"
) -> Judged:
    """Rank the whole catalogue at every held-out event. Absent: the split that ``train`` made."""
    parts = split.divide(dataset) if split is not None else (recommender.split or LeaveLastOut().divide(dataset))
    return judge(recommender, dataset, parts, options or EvaluationOptions(exclude_seen=recommender.exclude_seen), part=part)


def fit(
    recommender: Recommender,
    dataset: Dataset,
    split: Split,
    options: TrainingOptions,
    *,
    evaluation: EvaluationOptions | None = None,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Fit on the training part, stop on the validation part; with ``refit`` once more on both. Returns ``seconds``, ``epochs`` and the ``curve``."""
    judged_by = evaluation or EvaluationOptions(exclude_seen=recommender.exclude_seen)
    started = time.perf_counter()
    recommender.model.check(dataset, recommender.text)
    torch.manual_seed(recommender.seed)
    recommender.prepare(dataset.take(split.train))
    encoded = time.perf_counter()
    model = recommender.model
    trained = Trained()
    if isinstance(model, Counted):
        with_validation = np.concatenate([split.train, split.validation]) if options.refit else split.train
        model.fit(dataset.take(with_validation))
    elif isinstance(model, Learned):
        trained = _fit_learned(recommender, dataset, split, options, judged_by, checkpoint, progress)
        if options.refit and len(split.validation):
            both = Split(np.sort(np.concatenate([split.train, split.validation])), np.zeros(0, dtype=np.int64), split.test, split.name)
            again = options.model_copy(update={"epochs": max(1, trained.best_epoch), "refit": False})
            torch.manual_seed(recommender.seed)
            recommender.prepare(dataset.take(both.train))
            curve = trained.curve
            trained = _fit_learned(recommender, dataset, both, again, judged_by, checkpoint / "refit" if checkpoint else None, progress)
            trained.curve = curve + trained.curve
    else:
        raise TrainingError(f"{type(model).__name__} is neither Counted nor Learned: a model is one of the two.")
    recommender.version = f"{type(model).__name__}-{dataset.fingerprint[:8]}-{recommender.seed}"
    done = time.perf_counter()
    return {"seconds": {"encode": encoded - started, "train": done - encoded}, "epochs": trained.best_epoch, "curve": trained.curve}


def _fit_learned(
    recommender: Recommender,
    dataset: Dataset,
    split: Split,
    options: TrainingOptions,
    judged_by: EvaluationOptions,
    checkpoint: Path | None,
    progress: Progress | None,
) -> Trained:
    model = recommender.model
    assert isinstance(model, Learned)
    train = dataset.take(split.train)
    model.warm(train, recommender.content)
    length = getattr(model.options, "length", 100)
    typed, phrases, share = recommender.typed(dataset), None, getattr(model.options, "words_share", 0.0)
    if typed is not None and share and dataset.columns.text:
        own, phrases = recommender.phrases(train, len(typed[0]))
        typed = torch.cat([typed[0], own]), typed[1]
    table = EventTable(
        dataset, recommender.features, profile=recommender.profiles_of(dataset), visible=split.train, words=typed, phrases=phrases, phrase_share=share
    )
    validate = None
    if len(split.validation):
        cases = cases_of(recommender, dataset, split, "validation", judged_by)

        def validate() -> float:
            return validation_figure(judge_cases(model, cases, judged_by), options.metric)

    if options.seen_as_negatives is None:
        options = options.model_copy(update={"seen_as_negatives": recommender.exclude_seen is not True})
    return train_model(model, table, options, seed=recommender.seed, validate=validate, checkpoint=checkpoint, progress=progress, length=length)


def without_context(recommender: Recommender) -> Recommender | None:
    """The same recommender, untrained, blind to context; None: its model reads none anyway."""
    model = recommender.model.without_context()
    if model is None:
        return None
    return Recommender(model, text=recommender.text, features=(), seed=recommender.seed, exclude_seen=recommender.exclude_seen)


def cases_of(recommender: Recommender, dataset: Dataset, split: Split, part: str, options: EvaluationOptions) -> Cases:
    rows = split.validation if part == "validation" else split.test
    if options.history == "frozen":
        visible = split.train
    elif part == "validation":
        visible = np.sort(np.concatenate([split.train, split.validation]))
    else:
        visible = np.sort(np.concatenate([split.train, split.validation, split.test]))
    table = EventTable(dataset, recommender.features, profile=recommender.profiles_of(dataset), visible=visible, words=recommender.typed(dataset))
    items = np.bincount(dataset.item_codes[split.train], minlength=dataset.n_items)
    users = np.bincount(dataset.user_codes[split.train], minlength=dataset.n_users)
    return Cases(table, rows, items > 0, users, items)


def judge(
    recommender: Recommender,
    dataset: Dataset,
    split: Split,
    options: EvaluationOptions,
    *,
    part: str = "test",
    name: str | None = None,
    variant: str = "as trained",
) -> Judged:
    """Rows for each segment of the held-out part. A ``variant`` of ``VARIANTS`` asks its questions differently; none where it cannot be asked."""
    cases = cases_of(recommender, dataset, split, part, options)
    if variant in VARIANTS:
        asked = VARIANTS[variant](cases, recommender, recommender.seed)
        if asked is None:
            return Judged([], NOTHING_JUDGED)
        cases = asked
    frame = judge_cases(recommender.model, cases, options)
    label = name or type(recommender.model).__name__
    rows = rows_of(frame, cases, name=label, protocol=split.name, split=part, variant=variant, seed=recommender.seed, segments=options.segments)
    return Judged(rows, frame)
