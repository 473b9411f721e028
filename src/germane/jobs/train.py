"""Train a recommender on a dataset, judge it, and say how it went."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from .. import data
from ..component import build, section
from ..config import Config, check_tuning
from ..data import Dataset, Given, LeaveLastOut, Split, Splitter
from ..encoders import Encoder
from ..errors import ConfigError, DataError, TrainingError, nearest
from ..evaluation import (
    READ_OTHERWISE,
    VARIANTS,
    EvaluationOptions,
    cases_of,
    check_calibration,
    choose_calibration,
    how_listed,
    judge_cases,
    judge_pairs,
    left_out,
    masks_of,
    rows_of,
    teach_ranker,
)
from ..models import Model, TwoStage
from ..paths import moved
from ..policies import Policy
from ..recommender import Recommender
from ..sampled_lists import most_lists
from ..training import Processes, Progress, TrainingOptions, choose_device, chosen_precision
from .facts import Took
from .fitting import Fitting, Shown
from .ground import coded_as
from .lessons import check_lessons

__all__ = ["Judged", "balance_lists", "evaluate", "fit", "judge", "newest_apart", "train", "without_context"]

PARTS = ("test", "validation")
"""Of a split, that can be judged."""
NOTHING_JUDGED = pl.DataFrame(schema={"row": pl.Int64, "user": pl.Int64, "item": pl.Int64, "rank": pl.Int64})


@dataclass
class Judged:
    """Rows of ``metrics.json`` and the figures of each case."""

    rows: list[dict[str, Any]]
    cases: pl.DataFrame = field(repr=False)
    """Of lists."""
    pairs: pl.DataFrame = field(repr=False, default_factory=pl.DataFrame)
    """Of clicks, ratings and conversions."""
    listed: str = ""
    """What lists leave out, and what decides where scores or times are equal; or that they leave out all. Empty where none are asked."""
    notes: tuple[str, ...] = ()
    """What training has to say."""
    ground: Mapping[str, Any] | None = field(repr=False, default=None)
    """What they were judged on and by, for those who would compare; see ``ground_of``."""
    segments: Mapping[str, tuple[pl.Series, pl.Series]] = field(repr=False, default_factory=dict)
    """Which of ``cases`` and which of ``pairs`` belong to each segment."""

    def value(self, metric: str = "ndcg@10", segment: str = "all") -> float:
        row = next((row for row in self.rows if row["segment"] == segment), None)
        if row is None:
            raise DataError(
                f"no row is of the segment {segment!r}: there are {', '.join(dict.fromkeys(row['segment'] for row in self.rows)) or 'none'}."
            )
        if metric not in row["metrics"]:
            raise DataError(f"{segment} was not judged by {metric!r}: there are {', '.join(row['metrics'])}.")
        return float(row["metrics"][metric]["value"])

    def __str__(self) -> str:
        if not self.rows:
            return "\n".join([self.listed or "no held-out events to judge", *self.notes])
        named = ("ndcg", "recall", "mrr", "coverage", "auc", "log_loss", "conversion_auc", "conversion_log_loss", "rmse", "mae")
        shown = {m: max(11, len(m)) for m in self.rows[0]["metrics"] if m.split("@")[0] in named}  # metric -> width
        lines = [f"{'model':<22}{'variant':<18}{'segment':<14}{'n':>6}  " + "  ".join(f"{m:>{wide}}" for m, wide in shown.items())]
        for row in self.rows:
            told = row["metrics"]
            figures = "  ".join(f"{told[m]['value']:>{wide}.4f}" if m in told else " " * wide for m, wide in shown.items())
            lines.append(f"{row['name']:<22}{row['variant']:<18}{row['segment']:<14}{row['n']:>6}  {figures}")
        against = self.rows[0]["p_against"]
        listed = [self.listed] if self.listed else []
        return "\n".join([*lines, *listed, *(f"p against {name}: {p:.4f}" for name, p in against.items()), *self.notes])


def train(
    config_or_recommender: str | os.PathLike[str] | Config | Recommender,
    dataset: Dataset,
    *,
    split: Splitter | None = None,
    training: TrainingOptions | None = None,
    progress: Progress | None = None,
) -> Recommender:
    """Fit a recommender on ``dataset`` and give it back: the one that is given, or the one that a config (a TOML file, or a ``Config``) describes.

    ``split``, ``training``: absent, those of the config; of a recommender, leave-last-out (``Given`` where events say their part) and the default
    training options. The ``[data]`` of a config is not read, since the data are given. Afterwards it remembers all events, also those held out, as
    what users did.
    """
    if not isinstance(dataset, Dataset):
        raise DataError(f"germane.train got a {type(dataset).__name__} as its dataset: give a germane.Dataset, such as Dataset.read('shop.toml').")
    given = Config.read(Path(config_or_recommender)) if isinstance(config_or_recommender, str | os.PathLike) else config_or_recommender
    if isinstance(given, Config):
        recommender, options, evaluation = given.recommender(dataset), training or given.training, given.evaluation
        splitter = split or given.split
        said = {name: part for name, part in moved(given.sections, given.base, None).items() if name not in ("data", "training")}
    elif isinstance(given, Recommender):
        _check_kind("Recommender(model)", given.model, Model)
        _check_kind("Recommender(text=…)", given.text, Encoder)
        _check_kind("Recommender(policy=…)", given.policy, Policy)
        recommender, options, evaluation = given, training or TrainingOptions(), None
        splitter = split or (Given() if "split" in dataset.events.columns else LeaveLastOut())
        said = {"evaluation": {"exclude_seen": given.exclude_seen}}
    else:
        wrapped = f" Put the model into one: germane.Recommender({type(given).__name__}(…))." if isinstance(given, Model) else ""
        raise ConfigError(f"germane.train got a {type(given).__name__}: give the path of a config, a Config, or a germane.Recommender.{wrapped}")
    _check_kind("split", splitter, Splitter)
    _check_kind("training", options, TrainingOptions)
    took, parts = Took(), splitter.divide(dataset)
    told = fit(recommender, dataset, parts, options, evaluation=evaluation, progress=took.watching(progress))
    recommender.split, recommender.facts = parts, took.facts(dataset, told, options, folder=dataset.folder)
    learnt = options.model_dump(mode="json", exclude_defaults=True, exclude_none=True)
    recommender.sections = {**said, "split": section(splitter, data), **({"training": learnt} if learnt else {})}
    recommender.remember(dataset)
    return recommender


def _check_kind(what: str, given: object, kind: type) -> None:
    """Of Python, where a part can be given as its name, its class or its options."""
    if not isinstance(given, kind):
        made = f"{given.__name__}(…)" if isinstance(given, type) else f"one, such as {kind.__name__}(…)" if kind is TrainingOptions else "an object"
        raise ConfigError(f"germane.train got {given!r:.80} as {what}, which is no {kind.__name__}: give {made}.")


def evaluate(
    recommender: Recommender, dataset: Dataset, *, split: Splitter | None = None, options: EvaluationOptions | None = None, part: str = "test"
) -> Judged:
    """Rank the whole catalogue at every held-out event of ``dataset``, which holds the recommender's own items.

    Absent: the split and the ``[evaluation]`` that it was trained by, also of one that was loaded; of other data, the same split of these. ``part``:
    ``test`` or ``validation``. Here the recommender alone is judged; rows of ``baselines`` and ``variants`` are made by ``germane train`` and
    ``germane evaluate``.
    """
    if part not in PARTS:
        raise ConfigError(f"germane.evaluate got part = {part!r}: choose test or validation.{nearest(str(part), PARTS)}")
    fingerprint, own = dataset.fingerprint, dict(recommender.sections.get("evaluation", {}))
    dataset = coded_as(recommender, dataset)
    same = (recommender.facts.get("data") or {}).get("fingerprint") == fingerprint
    if split is None and recommender.split is not None and same:
        parts = recommender.split
    else:
        parts = (split or _split_of(recommender)).divide(dataset)
    if part == "test" and recommender.sections.get("training", {}).get("refit"):
        parts = parts.refitted(dataset)
    return judge(recommender, dataset, parts, options or EvaluationOptions(**{**own, "exclude_seen": recommender.exclude_seen}), part=part)


def _split_of(recommender: Recommender) -> Splitter:
    """That it was trained by."""
    said = recommender.sections
    if "split" not in said and "data" not in said:  # whole configs may leave it out; what was saved from Python once left out all
        raise ConfigError("it is not known by which split this recommender was trained: say it, such as germane.evaluate(…, split=LeaveLastOut()).")
    made: Splitter = build(said.get("split", {}), data, Splitter, "[split]", "LeaveLastOut")
    return made


def fit(
    recommender: Recommender,
    dataset: Dataset,
    split: Split,
    options: TrainingOptions,
    *,
    evaluation: EvaluationOptions | None = None,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
    shown: Shown | None = None,
) -> dict[str, Any]:
    """Fit on the training part, stop and calibrate on the validation part; with ``refit`` once more on both. ``shown`` may look at the model
    after each epoch.

    Returns ``seconds``, ``epochs``, the ``curve``, whether a language model that was to learn did not (``asleep``), and, of two models, how the
    second learnt (``ranker``).
    """
    judged_by = evaluation or EvaluationOptions(exclude_seen=recommender.exclude_seen)
    started = time.perf_counter()
    model = recommender.model
    model.objective, model.calibration = options.objective(model), None
    check_lessons(model.objective, dataset, split)
    if options.calibrate is not None:
        check_calibration(options.calibrate, dataset, split)
    model.check(dataset, recommender.text)
    check_tuning(model, recommender.text)
    two = model if isinstance(model, TwoStage) else None
    if two is not None:
        two.check_cases(len(split.validation))
    processes = Processes.joined(options.device)
    device = processes.device or choose_device(options.device)
    if options.precision != "float32":
        chosen_precision(options.precision, device)
    recommender.text.on(options.device if processes.device is None else str(device))
    torch.manual_seed(recommender.seed)
    with processes.first_ahead():
        recommender.prepare(dataset.take(split.train))
    encoded = time.perf_counter()
    again = int(options.refit and len(split.validation) > 0)
    fitting = Fitting(recommender, dataset, split, options, judged_by, checkpoint, progress, shown, later=again)
    taught = None
    if two is not None and two.options.learns_from == "last":
        before = newest_apart(dataset, split, two.options.share)
        fitting.anew(before, "before", later=1 + again)
        taught = teach_ranker(two, replace(fitting, split=before).validation(), judged_by, recommender.seed)
        trained = fitting.anew(split, "", later=again)
    else:
        trained = fitting.parts()
    if two is not None and taught is None:
        taught = teach_ranker(two, fitting.validation(), judged_by, recommender.seed)
    if options.calibrate is not None:
        model.calibration = choose_calibration(options.calibrate, model, fitting.validation())
    if again:
        split = split.refitted(dataset)
        refitted = fitting.anew(split, "refit", trained)
        for once, more in zip(trained, refitted, strict=True):
            once.curve += more.curve
    balance_lists(recommender, dataset, split.train, judged_by)
    first = next((once for once in trained if once.curve), trained[0])
    recommender.version = f"{type(model).__name__}-{dataset.fingerprint[:8]}-{recommender.seed}"
    done = time.perf_counter()
    told = {"seconds": {"encode": encoded - started, "train": done - encoded}, "epochs": first.best_epoch, "curve": first.curve}
    told["asleep"] = any(once.asleep for once in trained)
    return told if taught is None else {**told, "ranker": taught}


def newest_apart(dataset: Dataset, split: Split, share: float) -> Split:
    """The newest ``share`` of the training events as validation, equal times not parted; those of them that are no targets stay, as history."""
    times = dataset.times[split.train]
    since = np.quantile(times, 1 - share, method="higher") if len(times) else 0.0
    if not 0 < (times >= since).sum() < len(times):
        raise TrainingError(f'[ranker] learns_from = "last": {len(split.train):,} training events leave nothing on one side of share = {share}.')
    asked = (times >= since) & dataset.events["positive"].to_numpy()[split.train]
    return Split(split.train[~asked], split.train[asked], split.test, split.name)


def balance_lists(recommender: Recommender, dataset: Dataset, train: NDArray[np.int64], judged_by: EvaluationOptions) -> None:
    """Over what was asked last in training, of some users."""
    if not recommender.model.wants_balance or not len(train):
        return
    order = train[np.argsort(dataset.timelines.place[train])]
    users, last = np.unique(dataset.user_codes[order][::-1], return_index=True)
    some = np.random.default_rng(recommender.seed).choice(last, most_lists(dataset.n_items, len(users)), replace=False)
    rows = order[::-1][some]
    table = recommender.table(dataset, visible=train)
    query, item = left_out(table, rows, judged_by)
    recommender.model.balance(table.queries(rows, recommender.model.length), (torch.from_numpy(query), torch.from_numpy(item.astype(np.int64))))


def without_context(recommender: Recommender) -> Recommender | None:
    """The same recommender, untrained, blind to context; None: its model reads none anyway."""
    model = recommender.model.without_context()
    if model is None:
        return None
    return Recommender(model, text=recommender.text, features=(), seed=recommender.seed, exclude_seen=recommender.exclude_seen)


def judge(
    recommender: Recommender,
    dataset: Dataset,
    split: Split,
    options: EvaluationOptions,
    *,
    part: str = "test",
    name: str | None = None,
    variant: str = "as trained",
    told: Callable[[int, int], object] = lambda done, of: None,
) -> Judged:
    """Rows for each segment of the held-out part; ``told`` hears how many cases of how many are judged.

    ``split``: as ``cases_of`` asks for it. A ``variant`` of ``VARIANTS`` asks its questions differently, one of ``READ_OTHERWISE`` another reading of
    the items; none where it cannot be asked.
    """
    cases = cases_of(recommender, dataset, split, part, options)
    if variant in VARIANTS:
        asked = VARIANTS[variant](cases, recommender, recommender.seed)
        if asked is None:
            return Judged([], NOTHING_JUDGED)
        cases = asked
    model = READ_OTHERWISE[variant](cases, recommender, recommender.seed) if variant in READ_OTHERWISE else recommender.model
    if model is None:
        return Judged([], NOTHING_JUDGED)
    lists = judge_cases(model, cases, options, told=told) if options.k else NOTHING_JUDGED
    pairs = judge_pairs(model, cases) if set(model.objective.heads) - {"ranking"} else pl.DataFrame()
    about = {"name": name or type(recommender.model).__name__, "protocol": split.name, "split": part, "variant": variant, "seed": recommender.seed}
    shelved = options.k and "new among new" in options.segments and not cases.known_items.all()
    shelf = judge_cases(model, cases, options, among=~cases.known_items) if shelved else None
    of_lists, of_pairs = masks_of(lists, cases), masks_of(pairs, cases) if pairs.height else {}
    nothing = pl.Series([], dtype=pl.Boolean)
    segments = {name: (pl.Series(mask), pl.Series(of_pairs[name]) if name in of_pairs else nothing) for name, mask in of_lists.items()}
    rows = rows_of(lists, pairs, cases, options.segments, shelf, **about)
    return Judged(rows, lists, pairs, how_listed(lists, cases, options), segments=segments)
