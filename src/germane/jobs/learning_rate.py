"""``germane check --learning-rate``: steps that grow until the loss does, for each model that a config would train."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..config import Config, check_tuning
from ..data import Dataset, Split
from ..errors import TrainingError
from ..models import Learned
from ..training import RangeTest, range_test
from ..training.optimisers import text_rate
from .fitting import Fitting, first_alone

__all__ = ["Tried", "try_rates"]

ROWS = 16
"""Of the curve, for people."""
WIDE = 40


@dataclass(frozen=True)
class Tried:
    """A model and what its loss did."""

    model: str
    test: RangeTest
    text: float | None
    """How much of the suggestion a language model that learns takes; None: there is none."""

    def as_json(self) -> dict[str, Any]:
        test = self.test
        found = {"suggestion": test.suggestion, "steepest": test.steepest, "lowest": test.lowest, "fell": test.fell, "diverged": test.diverged}
        return {"model": self.model, **found, "curve": [list(point) for point in zip(test.rates, test.losses, strict=True)]}

    def __str__(self) -> str:
        test = self.test
        some = np.unique(np.linspace(0, len(test.rates) - 1, min(ROWS, len(test.rates))).astype(int))
        low, high = min(test.losses), max(test.losses[: int(np.argmin(test.losses)) + 1])
        lines = [f"rates     {self.model}: loss after {len(test.rates)} steps, each longer than the last"]
        for place in some:
            share = min(1.0, (test.losses[place] - low) / (high - low or 1.0))
            lines.append(f"          {test.rates[place]:8.1e} {test.losses[place]:10.4f}  {'█' * max(1, round(WIDE * share))}")
        if not test.fell:
            lines.append("          the loss never fell: nothing can be told of rates. Try larger batches, or other columns")
            return "\n".join(lines)
        end = "behind it the loss rises" if test.rose else "even the longest steps did no harm"
        lines.append(f"          falls fastest at {test.steepest:.1e}, lowest at {test.lowest:.1e}; {end}")
        said = f"{test.suggestion:g}" if self.text is None else f"{{text = {test.suggestion * self.text:.1e}, rest = {test.suggestion:g}}}"
        return "\n".join([*lines, f"try       [training] learning_rate = {said}"])


def try_rates(config: Config, dataset: Dataset, split: Split) -> list[Tried]:
    """Of each single model that learns by gradients. Chance goes on as before; nothing is written but texts to the cache of vectors."""
    random = torch.random.get_rng_state()
    try:
        return _tried(config, dataset, split)
    finally:
        torch.random.set_rng_state(random)


def _tried(config: Config, dataset: Dataset, split: Split) -> list[Tried]:
    options, recommender = config.training, config.recommender(dataset)
    model = recommender.model
    members = [part for part in first_alone(recommender).model.parts if isinstance(part, Learned)]
    if not members:
        raise TrainingError(f"{type(model).__name__} is counted and takes no steps, so it has no learning rate to be found.")
    model.objective = options.objective(model)
    model.check(dataset, recommender.text)
    check_tuning(model, recommender.text)
    torch.manual_seed(config.seed)
    recommender.prepare(dataset.take(split.train))
    tried = []
    for member in members:
        part = copy.copy(recommender)
        part.model = member
        feed, _ = Fitting(part, dataset, split, options, config.evaluation, None, None).lesson(member)
        text = text_rate(member.texts_that_learn(), options)
        apart = None if text is None else text / options.rate
        tried.append(Tried(type(member).__name__, range_test(member, feed, options, seed=config.seed), apart))
    return tried
