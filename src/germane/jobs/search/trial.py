"""One trial: a config with other options, trained and judged on validation. The test part is taken away before anything begins."""

from __future__ import annotations

import copy
import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...config import Config
from ...data import Dataset, Split
from ...encoders import NoText
from ...errors import ConfigError
from ...evaluation import Validation, cases_of
from ...models import Learned, Popular, TwoStage
from ...recommender import Recommender
from ...search_space import put
from ...training import Progress
from ..train import fit

__all__ = ["Task", "Tried"]


@dataclass(frozen=True)
class Tried:
    """What became of a trial."""

    figure: float
    """On validation."""
    epochs: int
    """Of the best weights; 0 where the model is counted."""
    seconds: float


class Task:
    """What a process reads once, and tries with again and again: a config, its data, their division.

    Texts are encoded by the first trial; the others find their vectors in the cache.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.dataset: Dataset = config.dataset()
        parts = config.split.divide(self.dataset)
        if not len(parts.validation):
            name = type(config.split).__name__
            raise ConfigError(f"a search judges on validation events, and [split] use = {name!r} holds none out: say validation there.")
        if isinstance(config.model, TwoStage):
            raise ConfigError(
                "a [ranker] learns from the validation events that a search judges by: search without [ranker], and put it back into what was found."
            )
        config.recommender(self.dataset)
        self.split = Split(parts.train, parts.validation, np.zeros(0, dtype=np.int64), parts.name)
        judge = self._validation()
        self.metric, self.smaller_is_better = judge.metric, judge.smaller_is_better

    @property
    def has_curve(self) -> bool:
        """Whether one validation curve tells early how a training will end: a blend has one of each member."""
        return isinstance(self.config.model, Learned)

    @property
    def stamp(self) -> dict[str, str]:
        """What has to be the same for trials to be comparable."""
        said = {name: section for name, section in self.config.sections.items() if name not in ("search", "policy", "tracking")}
        return {"config": hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest(), "data": self.dataset.fingerprint}

    def varied(self, values: Mapping[str, Any]) -> Config:
        """The config with these options."""
        sections = copy.deepcopy({name: section for name, section in self.config.sections.items() if name != "search"})
        for key, value in values.items():
            if value is not None:
                put(sections, key, list(value) if isinstance(value, tuple) else value)
        return Config.of(sections, self.config.base)

    def run(self, values: Mapping[str, Any], progress: Progress) -> Tried:
        """Train with these options and judge on validation."""
        began = time.perf_counter()
        config = self.varied(values)
        training = config.training.model_copy(update={"refit": False, "calibrate": None})
        recommender = config.recommender(self.dataset)
        told = fit(recommender, self.dataset, self.split, training, evaluation=config.evaluation, progress=progress)
        judged = [epoch["validation"] for epoch in told["curve"] if "validation" in epoch]
        if judged and self.has_curve and not recommender.model.wants_balance:
            figure = min(judged) if self.smaller_is_better else max(judged)
        else:
            cases = cases_of(recommender, self.dataset, self.split, "validation", config.evaluation)
            figure = Validation(recommender.model, cases, config.evaluation, training.metric)()
        return Tried(figure, told["epochs"], time.perf_counter() - began)

    def _validation(self) -> Validation:
        """Which figure decides hangs on the held-out rows, and on no model: the cheapest lays them out."""
        config = self.varied({})
        config.model.objective = config.training.objective(config.model)
        cheapest = Recommender(Popular(), text=NoText(), features=(), exclude_seen=config.evaluation.exclude_seen)
        cheapest.prepare(self.dataset.take(self.split.train))
        cases = cases_of(cheapest, self.dataset, self.split, "validation", config.evaluation)
        return Validation(config.model, cases, config.evaluation, config.training.metric)
