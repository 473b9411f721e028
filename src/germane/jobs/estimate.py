"""How long a training will take and how much memory it will need, from a few of its own steps.

The very loop that would train is run for some seconds and stopped, so nothing is modelled but the number of steps. Item texts are
encoded in a sample only; training is timed on vectors of the same width from ``HashedText``.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from ..config import Config
from ..data import Dataset, Split
from ..data.conversions import closed
from ..encoders import CachedTexts, Encoder, HashedText, LearningTexts, NoText, PretrainedText, VectorCache, Vocabulary, frozen_of, prompts
from ..errors import FetchError, TrainingError
from ..evaluation import VARIANTS, cases_of, judge_cases, judge_pairs, teach_ranker
from ..evaluation.pairs import SAID, pair_metrics
from ..models import Learned, TwoStage
from ..recommender import Recommender
from ..training import Told
from .fitting import first_alone
from .memory import peak_mb
from .train import fit, newest_apart

__all__ = ["Estimate", "estimate", "kept_states"]

SECONDS = 6.0
"""Of timed steps, at most; two are always taken."""
STEPS = 40
SAMPLE = 192
"""Texts, and held-out cases, that are timed."""


@dataclass(frozen=True)
class Estimate:
    """Seconds of each stage, and the most memory at a time."""

    texts: int
    """Item texts that are not in the vector cache yet."""
    encode: float | None
    """None: the language model is not on this machine and could not be fetched, so nothing was timed."""
    epoch: float
    """One epoch, its validation included."""
    epochs: int
    train: float
    """Preparation and all epochs, a refit and the training without context too. Training ends earlier where validation says so."""
    judge: float
    """The held-out events, with the baselines beside the model."""
    peak_mb: float

    @property
    def total(self) -> float:
        return (self.encode or 0.0) + self.train + self.judge


class _Steps:
    """Hears the loop's progress and ends it when enough steps are timed."""

    def __init__(self) -> None:
        self.first: float | None = None
        self.durations: list[float] = []
        self.of = 1
        self._last = 0.0

    def __call__(self, told: Told) -> None:
        now = time.perf_counter()
        if self.first is None:
            self.first = now
        elif not told.ended:  # an epoch ends after validation
            self.durations.append(now - self._last)
        self._last, self.of = now, told.steps
        if len(self.durations) >= STEPS or (len(self.durations) >= 2 and now - self.first > SECONDS):
            raise _Enough

    @property
    def mean(self) -> float:
        """Seconds a step; 0 where none was timed."""
        return float(np.mean(self.durations)) if self.durations else 0.0


class _Enough(Exception):
    """Leaves the training loop."""


def estimate(config: Config, dataset: Dataset, split: Split) -> Estimate:
    """Time some steps of what ``config`` would train on ``split``. Takes some ten seconds, and memory as training does."""
    recommender = config.recommender(dataset)
    text = recommender.text
    texts, encode = _encoding(text, dataset, recommender.model.wants_vocabulary)
    sample = replace(split, validation=_cases(dataset, split, config.training.metric))
    asleep, refreshes = 0, 1
    if isinstance(text, PretrainedText) and text.learns:
        asleep, refreshes = frozen_of(text.options.frozen_epochs, config.training.epochs), text.options.refreshes
    quick = _timed(config.recommender(dataset), dataset, sample, config, frozen=True)[0] if asleep else None
    steps, prepare = _timed(recommender, dataset, sample, config)
    open_cases, case, asked = _judging(recommender, dataset, sample, config)
    alone = first_alone(recommender)
    alone_case = case if alone is recommender else _judging(alone, dataset, sample, config)[1]
    epochs, epoch, spared, weights, kept = 0, 0.0, 0.0, 0, 0.0
    learned = _learned(recommender)
    if learned:
        epochs = config.training.epochs * len(learned)
        renewed = sum(_renewing(member) for member in learned) * refreshes
        kept = sum(kept_states(member) for member in learned)
        epoch = steps.of * (steps.mean or prepare) + alone_case * len(split.validation) + renewed
        if quick is not None:
            spared = asleep * max(0.0, steps.mean - quick.mean) * steps.of + asleep * renewed
        weights = sum(p.numel() * p.element_size() for member in learned for p in member.parameters())
    variants = config.evaluation.variants
    rounds = 1 + len(config.evaluation.baselines) + asked + (alone is not recommender)
    teach = _teaching(recommender, dataset, split, sample, config)
    # A refit, and the same model trained blind to context, each take as long again.
    trainings = 1 + config.training.refit
    if isinstance(recommender.model, TwoStage) and recommender.model.options.learns_from == "last":
        trainings += 1
    if "without context" in variants and recommender.model.without_context() is not None:
        trainings *= 2
    held_out = len(split.test) or len(split.validation)
    return Estimate(
        texts=texts,
        encode=encode,
        epoch=epoch,
        epochs=epochs,
        train=(prepare + epochs * epoch - spared) * trainings + teach,
        judge=rounds * (open_cases + case * held_out),
        peak_mb=peak_mb() + (weights + kept) / 1e6,  # the best weights, which the loop keeps beside the running ones
    )


def _timed(recommender: Recommender, dataset: Dataset, sample: Split, config: Config, *, frozen: bool = False) -> tuple[_Steps, float]:
    """Some steps of its training, and the seconds before the first. ``frozen``: of an epoch in which the language model does not learn yet."""
    recommender.text = _stand_in(recommender.text, frozen)
    steps, random, began = _Steps(), torch.random.get_rng_state(), time.perf_counter()
    with suppress(_Enough):
        try:
            fit(recommender, dataset, sample, config.training.model_copy(update={"refit": False}), evaluation=config.evaluation, progress=steps)
        finally:
            torch.random.set_rng_state(random)
    return steps, (steps.first or time.perf_counter()) - began


def _learned(recommender: Recommender) -> list[Learned]:
    """The single models that epochs are spent on."""
    return [part for part in recommender.model.parts if isinstance(part, Learned)]


def _encoding(text: Encoder, dataset: Dataset, words: bool) -> tuple[int, float | None]:
    """How many item texts are to be encoded, and the seconds for it, with ``words`` also for their vocabulary. What is encoded for the timing stays
    in the cache."""
    names = [name for name in dataset.columns.text if name in dataset.items.columns]
    if isinstance(text, NoText) or not names:
        return 0, 0.0
    told = prompts(dataset.items, dataset.prompt, names, dataset.separators)
    try:
        encode = VectorCache().cached(text)
        missing = encode.missing(told)
        typed = VectorCache().cached(text.for_words)
        return len(missing), _seconds(encode, missing) + (_seconds(typed, typed.missing(Vocabulary.chosen(told))) if words else 0.0)
    except FetchError:
        return dataset.n_items, None


def _seconds(encode: CachedTexts, missing: Sequence[str]) -> float:
    if not missing:
        return 0.0
    began = time.perf_counter()
    encode(missing[:1])  # loads the model
    loaded = time.perf_counter()
    some = [missing[int(place)] for place in _some(np.arange(len(missing)))]
    encode(some)
    return loaded - began + (time.perf_counter() - loaded) / len(some) * len(missing)


def _stand_in(text: Encoder, frozen: bool) -> Encoder:
    """An encoder of the same width that needs no model."""
    if isinstance(text, NoText | HashedText):
        return text
    try:
        return _LearningStandIn(text, frozen) if text.learns else HashedText(width=text.width)
    except FetchError:  # a model of the hub that is not here: a common width
        return HashedText(width=768)


class _LearningStandIn(HashedText):
    """Vectors by hashing at the start, and beside them the very language model that would learn."""

    def __init__(self, text: Encoder, frozen: bool) -> None:
        super().__init__(width=text.width)
        self.text, self.frozen = text, frozen

    @property
    def learns(self) -> bool:
        return True

    def settings(self) -> dict[str, Any]:
        return self.text.settings()

    def learning(self, texts: Sequence[str]) -> LearningTexts | None:
        learning = self.text.learning(texts)
        if learning is not None:
            # Some steps of one epoch are timed, and the passes over all texts apart.
            learning.frozen_epochs, learning.refreshes, learning.ahead = int(self.frozen), 1, False
        return learning


def _renewing(model: Learned) -> float:
    """Seconds in which the texts are encoded anew after an epoch; not the first, in which frozen layers may have to be gone through once."""
    learning = model.texts_that_learn()
    if learning is None:
        return 0.0
    some = [learning.texts[int(place)] for place in _some(np.arange(len(learning.texts)))]
    if learning.lower.below:
        learning.encode(some)
    began = time.perf_counter()
    learning.encode(some)
    return (time.perf_counter() - began) / max(1, len(some)) * len(learning.texts)


def kept_states(model: Learned) -> float:
    """Bytes that what frozen layers make of the texts will take beyond those taken by now."""
    learning = model.texts_that_learn()
    if learning is None or not len(learning.lower):
        return 0.0
    lower = learning.lower
    return min(lower.room, lower.taken / len(lower) * len(set(learning.texts))) - lower.taken


def _judging(recommender: Recommender, dataset: Dataset, sample: Split, config: Config) -> tuple[float, float, int]:
    """Seconds to lay out the held-out cases, seconds a case, and how many variants the data and the model have."""
    rows = sample.validation if len(sample.validation) else _some(sample.test)
    if not len(rows):
        return 0.0, 0.0, 0
    for member in _learned(recommender):
        member.to("cpu")
    began = time.perf_counter()
    cases = cases_of(recommender, dataset, replace(sample, validation=rows), "validation", config.evaluation)
    laid_out = time.perf_counter()
    if config.evaluation.k:
        judge_cases(recommender.model, cases, config.evaluation)
    if set(recommender.model.objective.heads) - {"ranking"}:
        judge_pairs(recommender.model, cases)
    case = (time.perf_counter() - laid_out) / len(rows)
    asked = sum(v not in VARIANTS or VARIANTS[v](cases, recommender, 0) is not None for v in config.evaluation.variants)
    return laid_out - began, case, asked


def _teaching(recommender: Recommender, dataset: Dataset, split: Split, sample: Split, config: Config) -> float:
    """Seconds in which a second model learns, from those it takes for some cases."""
    model = recommender.model
    if not isinstance(model, TwoStage):
        return 0.0
    if model.options.learns_from == "last":
        split = newest_apart(dataset, split, model.options.share)
        sample = replace(split, validation=_some(split.validation))
    began = time.perf_counter()
    with suppress(TrainingError):  # so few cases may teach nothing where all of them would
        teach_ranker(model, cases_of(recommender, dataset, sample, "validation", config.evaluation), config.evaluation)
    return (time.perf_counter() - began) / max(1, len(sample.validation)) * min(len(split.validation), model.options.cases)


def _cases(dataset: Dataset, split: Split, metric: str | None) -> NDArray[np.int64]:
    """Some validation rows, half of either outcome where the figure asks for both: the rare one may be lost otherwise, and the figure with it."""
    for head, (_, truth) in SAID.items():
        if truth in ("label", "converted") and metric in pair_metrics(head) and truth in dataset.events.columns:
            told = closed(dataset).events[truth].cast(pl.Int8).gather(split.validation)
            either = [_some(split.validation[(told == outcome).fill_null(False).to_numpy()], SAMPLE // 2) for outcome in (0, 1)]
            return np.sort(np.concatenate(either)) if any(map(len, either)) else _some(split.validation)
    return _some(split.validation)


def _some(rows: NDArray[np.int64] | Sequence[int], most: int = SAMPLE) -> NDArray[np.int64]:
    """At most ``most`` of them, evenly spaced."""
    rows = np.asarray(rows, dtype=np.int64)
    return rows[np.unique(np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(np.int64))] if len(rows) else rows
