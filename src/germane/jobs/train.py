"""Train a recommender on a dataset, judge it, and say how it went."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from ..batches import EventTable, Rows, Timelines
from ..data import Dataset, LeaveLastOut, Split, Splitter
from ..data.conversions import closed, known_in_training
from ..errors import TrainingError
from ..evaluation import (
    VARIANTS,
    Cases,
    EvaluationOptions,
    Validation,
    check_calibration,
    choose_calibration,
    judge_cases,
    judge_pairs,
    left_out,
    rows_of,
    teach_ranker,
    weigh,
)
from ..models import Blend, Counted, Learned, TwoStage
from ..recommender import Recommender
from ..sampled_lists import most_lists
from ..training import Trained, TrainingOptions, train_model
from .lessons import check_lessons, rows_to_learn

__all__ = ["Judged", "balance_lists", "cases_of", "evaluate", "first_alone", "fit", "judge", "newest_apart", "train", "without_context"]

NOTHING_JUDGED = pl.DataFrame(schema={"row": pl.Int64, "user": pl.Int64, "item": pl.Int64, "rank": pl.Int64})

Progress = Callable[[int, int, int, float, float | None], None]


@dataclass
class Judged:
    """Rows of ``metrics.json`` and the figures of each case."""

    rows: list[dict[str, Any]]
    cases: pl.DataFrame = field(repr=False)
    """Of lists."""
    pairs: pl.DataFrame = field(repr=False, default_factory=pl.DataFrame)
    """Of clicks, ratings and conversions."""
    notes: tuple[str, ...] = ()
    """What training has to say."""

    def value(self, metric: str = "ndcg@10", segment: str = "all") -> float:
        return float(next(row["metrics"][metric]["value"] for row in self.rows if row["segment"] == segment))

    def __str__(self) -> str:
        if not self.rows:
            return "\n".join(["no held-out events to judge", *self.notes])
        named = ("ndcg", "recall", "mrr", "coverage", "auc", "log_loss", "conversion_auc", "conversion_log_loss", "rmse", "mae")
        shown = {m: max(11, len(m)) for m in self.rows[0]["metrics"] if m.split("@")[0] in named}  # metric -> width
        lines = [f"{'model':<22}{'variant':<18}{'segment':<14}{'n':>6}  " + "  ".join(f"{m:>{wide}}" for m, wide in shown.items())]
        for row in self.rows:
            told = row["metrics"]
            figures = "  ".join(f"{told[m]['value']:>{wide}.4f}" if m in told else " " * wide for m, wide in shown.items())
            lines.append(f"{row['name']:<22}{row['variant']:<18}{row['segment']:<14}{row['n']:>6}  {figures}")
        against = self.rows[0]["p_against"]
        return "\n".join([*lines, *(f"p against {name}: {p:.4f}" for name, p in against.items()), *self.notes])


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
    """Fit on the training part, stop and calibrate on the validation part; with ``refit`` once more on both.

    Returns ``seconds``, ``epochs``, the ``curve`` and, of two models, how the second learnt (``ranker``).
    """
    judged_by = evaluation or EvaluationOptions(exclude_seen=recommender.exclude_seen)
    started = time.perf_counter()
    model = recommender.model
    model.objective, model.calibration = options.objective(model), None
    check_lessons(model.objective, dataset, split)
    if options.calibrate is not None:
        check_calibration(options.calibrate, dataset, split)
    model.check(dataset, recommender.text)
    two = model if isinstance(model, TwoStage) else None
    if two is not None:
        two.check_cases(len(split.validation))
    torch.manual_seed(recommender.seed)
    recommender.prepare(dataset.take(split.train))
    encoded = time.perf_counter()
    taught = None
    if two is not None and two.options.learns_from == "last":
        before = newest_apart(dataset, split, two.options.share)
        _prepare_again(recommender, dataset, before)
        _fit_parts(recommender, dataset, before, options, judged_by, checkpoint / "before" if checkpoint else None, progress)
        taught = teach_ranker(two, cases_of(recommender, dataset, before, "validation", judged_by), judged_by, recommender.seed)
        _prepare_again(recommender, dataset, split)
    trained = _fit_parts(recommender, dataset, split, options, judged_by, checkpoint, progress)
    if two is not None and taught is None:
        taught = teach_ranker(two, cases_of(recommender, dataset, split, "validation", judged_by), judged_by, recommender.seed)
    if options.calibrate is not None:
        model.calibration = choose_calibration(options.calibrate, model, cases_of(recommender, dataset, split, "validation", judged_by))
    if options.refit and len(split.validation):
        both = Split(np.sort(np.concatenate([split.train, split.validation])), np.zeros(0, dtype=np.int64), split.test, split.name)
        _prepare_again(recommender, dataset, both)
        again = [options.model_copy(update={"epochs": max(1, once.best_epoch), "refit": False}) for once in trained]
        folder = checkpoint / "refit" if checkpoint else None
        for once, more in zip(trained, _fit_parts(recommender, dataset, both, again, judged_by, folder, progress), strict=True):
            once.curve += more.curve
        split = both
    balance_lists(recommender, dataset, split.train, judged_by)
    first = next((once for once in trained if once.curve), trained[0])
    recommender.version = f"{type(model).__name__}-{dataset.fingerprint[:8]}-{recommender.seed}"
    done = time.perf_counter()
    told = {"seconds": {"encode": encoded - started, "train": done - encoded}, "epochs": first.best_epoch, "curve": first.curve}
    return told if taught is None else {**told, "ranker": taught}


def _prepare_again(recommender: Recommender, dataset: Dataset, split: Split) -> None:
    """For another training part. Where a second model has learnt codes, or will, these keep their meaning."""
    torch.manual_seed(recommender.seed)
    recommender.prepare(dataset.take(split.train), features=recommender.features if isinstance(recommender.model, TwoStage) else None)


def newest_apart(dataset: Dataset, split: Split, share: float) -> Split:
    """The newest ``share`` of the training events as validation, equal times not parted; those of them that are no targets stay, as history."""
    times = dataset.times[split.train]
    since = np.quantile(times, 1 - share, method="higher") if len(times) else 0.0
    if not 0 < (times >= since).sum() < len(times):
        raise TrainingError(f'[ranker] learns_from = "last": {len(split.train):,} training events leave nothing on one side of share = {share}.')
    asked = (times >= since) & dataset.events["positive"].to_numpy()[split.train]
    return Split(split.train[~asked], split.train[asked], split.test, split.name)


def first_alone(recommender: Recommender) -> Recommender:
    """The same without its second model; itself where there is none."""
    if not isinstance(recommender.model, TwoStage):
        return recommender
    alone = copy.copy(recommender)
    alone.model = recommender.model.first
    return alone


def _fit_parts(
    recommender: Recommender,
    dataset: Dataset,
    split: Split,
    options: TrainingOptions | list[TrainingOptions],
    judged_by: EvaluationOptions,
    checkpoint: Path | None,
    progress: Progress | None,
) -> list[Trained]:
    """Fit the model, or each member of a blend and then, with a validation part, their weights; below a second model, the first."""
    part = first_alone(recommender)
    model = part.model
    members = model.members if isinstance(model, Blend) else (model,)
    each = options if isinstance(options, list) else [options] * len(members)
    trained = [_fit_one(part, place, dataset, split, own, judged_by, checkpoint, progress) for place, own in enumerate(each)]
    if isinstance(model, Blend) and len(split.validation):
        weigh(model, cases_of(part, dataset, split, "validation", judged_by), judged_by, part.seed)
    if isinstance(recommender.model, TwoStage):
        recommender.model.features.fit(dataset.take(split.train).taken())
    return trained


def _fit_one(
    recommender: Recommender,
    place: int,
    dataset: Dataset,
    split: Split,
    options: TrainingOptions,
    judged_by: EvaluationOptions,
    checkpoint: Path | None,
    progress: Progress | None,
) -> Trained:
    """Fit the model, or the member at ``place`` of a blend, each with a seed of its own."""
    whole = recommender.model
    if isinstance(whole, Blend):
        part = copy.copy(recommender)
        part.model, part.seed = whole.members[place], recommender.seed + place
        checkpoint = checkpoint / f"member-{place}" if checkpoint else None
    else:
        part = recommender
    if isinstance(part.model, Counted):
        torch.manual_seed(part.seed)
        part.model.fit(dataset.take(split.train).taken())
        return Trained()
    if isinstance(part.model, Learned):
        return _fit_learned(part, dataset, split, options, judged_by, checkpoint, progress)
    raise TrainingError(f"{type(part.model).__name__} is neither Counted nor Learned: a model is one of the two.")


def balance_lists(recommender: Recommender, dataset: Dataset, train: NDArray[np.int64], judged_by: EvaluationOptions) -> None:
    """Over what was asked last in training, of some users."""
    if not recommender.model.wants_balance:
        return
    order = train[np.argsort(dataset.timelines.place[train])]
    users, last = np.unique(dataset.user_codes[order][::-1], return_index=True)
    some = np.random.default_rng(recommender.seed).choice(last, most_lists(dataset.n_items, len(users)), replace=False)
    rows = order[::-1][some]
    table = EventTable(dataset, recommender.features, profile=recommender.profiles_of(dataset), visible=train, words=recommender.typed(dataset))
    query, item = left_out(table, rows, judged_by)
    recommender.model.balance(table.queries(rows, recommender.model.length), (torch.from_numpy(query), torch.from_numpy(item.astype(np.int64))))


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
    known = known_in_training(dataset, split) if "conversion" in model.objective.heads else dataset
    train = known.take(split.train)
    model.warm(train.taken(), recommender.content)
    typed, phrases, share = recommender.typed(dataset), None, getattr(model.options, "words_share", 0.0)
    if typed is not None and share and dataset.columns.text:
        own, phrases = recommender.phrases(train, len(typed[0]))
        typed = torch.cat([typed[0], own]), typed[1]
    table = EventTable(known, recommender.features, profile=recommender.profiles_of(dataset), visible=split.train, words=typed)
    feed: Timelines | Rows
    if model.learns_from == "rows":
        feed = rows_to_learn(model, table, split.train, recommender.content.known, options, recommender.seed)
    else:
        shown = split.train[(table.labels[torch.from_numpy(split.train)] == 0).numpy()] if "click" in model.objective.heads else split.train[:0]
        if len(shown):
            model.objective = replace(model.objective, click_negatives=0)
        feed = Timelines(table, model.length, options.batch or 32, phrases=phrases, phrase_share=share, shown=shown)
    if options.seen_as_negatives is None:
        model.objective = replace(model.objective, seen_as_negatives=recommender.exclude_seen is not True)
    validate = None
    if len(split.validation):
        cases = cases_of(recommender, dataset, split, "validation", judged_by)
        validate = Validation(model, cases, judged_by, options.metric)
    return train_model(model, feed, options, seed=recommender.seed, validate=validate, checkpoint=checkpoint, progress=progress)


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
    told = closed(dataset)
    table = EventTable(told, recommender.features, profile=recommender.profiles_of(dataset), visible=visible, words=recommender.typed(dataset))
    items = np.bincount(dataset.item_codes[split.train], minlength=dataset.n_items)
    users = np.bincount(dataset.user_codes[split.train], minlength=dataset.n_users)
    took = split.train[table.positive[split.train]]
    pairs = np.unique(dataset.user_codes[took].astype(np.int64) * dataset.n_items + dataset.item_codes[took])
    return Cases(table, rows, items > 0, users, items, pairs)


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
    model = recommender.model
    lists = judge_cases(model, cases, options) if options.k else NOTHING_JUDGED
    pairs = judge_pairs(model, cases) if set(model.objective.heads) - {"ranking"} else pl.DataFrame()
    about = {"name": name or type(model).__name__, "protocol": split.name, "split": part, "variant": variant, "seed": recommender.seed}
    shelved = options.k and "new among new" in options.segments and not cases.known_items.all()
    shelf = judge_cases(model, cases, options, among=~cases.known_items) if shelved else None
    return Judged(rows_of(lists, pairs, cases, options.segments, shelf, **about), lists, pairs)
