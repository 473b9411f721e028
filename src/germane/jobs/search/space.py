"""Which options of a config are searched, and where: what options say themselves, what ``[search]`` says of them, what the data leave of it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...config import Config
from ...data import Dataset
from ...encoders import NoText
from ...errors import ConfigError, nearest
from ...models import Learned
from ...search_space import Searched, held, searched_of
from ...training import TrainingOptions

if TYPE_CHECKING:
    from optuna import Trial

__all__ = ["Space", "searchable", "space_of"]

ROWS = Searched(choices=(128, 512, 1024, 4096))
"""Batches of a model that learns from rows, of which there are more than stretches of timelines."""
TARGETS = 1 << 14
"""Events of a step in the largest batch of stretches that is searched by itself: more make few steps an epoch."""
DIGITS = 3
"""Of a number that is tried: more say nothing, and nobody wants to read them in a config."""


@dataclass(frozen=True)
class Space:
    """Ranges by ``section.key``, and the config's own values of them."""

    ranges: Mapping[str, Searched]
    own: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        return {key: searched.as_json() for key, searched in self.ranges.items()}

    @property
    def stamp(self) -> str:
        """By which a study knows its space again."""
        return json.dumps(self.as_json(), sort_keys=True)

    @property
    def size(self) -> float:
        """How many settings there are."""
        finite = (len(one.choices) if one.choices else one.high - one.low + 1 if one.whole else math.inf for one in self.ranges.values())  # type: ignore[operator]
        return math.prod(finite)

    def own_params(self) -> dict[str, Any]:
        """The config's own values, as Optuna keeps them, where they lie in the space."""
        return {key: _kept(self.own[key], searched) for key, searched in self.ranges.items() if self.own[key] in searched}

    def draw(self, trial: Trial, own: bool) -> dict[str, Any]:
        """The values that a trial tries: of ``own``, those of the config, whether they lie in the space or not."""
        params = self.own_params() if own else dict.fromkeys(self.ranges)
        drawn = {key: _value(_suggested(trial, key, self.ranges[key]), self.ranges[key]) for key in params}
        return {**self.own, **drawn} if own else drawn


def space_of(config: Config, dataset: Dataset) -> Space:
    """What ``germane search`` tries for this config on these data; an error where nothing is left."""
    default, asked = _default(config, dataset), config.search.ranges()
    only, fixed = config.search.only, config.search.fixed
    known = {*searchable(config), *asked}
    wrong = [
        f"[search] {name} names {key!r}, which is not searched anyway; searched are {', '.join(sorted(known)) or 'none'}.{nearest(key, known)}"
        for name, keys in (("only", only or ()), ("fixed", fixed))
        for key in keys
        if not any(_among(one, (key,)) for one in known)
    ]
    wrong += [f"[search] space says where {key} is searched, and fixed that it stays: leave one out." for key in asked if _among(key, fixed)]
    if wrong:
        raise ConfigError(wrong)
    kept = {key: one for key, one in default.items() if (only is None or _among(key, only)) and not _among(key, fixed)}
    ranges = {**{key: one.with_own(_own(config, key)) for key, one in kept.items() if key not in asked}, **asked}
    if not ranges:
        name = type(config.model).__name__
        raise ConfigError(f'nothing of this {name} is searched: name options in [search] space, such as {{"training.learning_rate" = [1e-3, 3e-3]}}.')
    return Space(ranges, {key: _own(config, key) for key in ranges})


def _default(config: Config, dataset: Dataset) -> dict[str, Searched]:
    """Options that say how they are searched, those left out that nothing of these data or this config would read."""
    found = searchable(config)
    if not dataset.columns.text or isinstance(config.encoder, NoText):
        found.pop("model.text_width", None)
    if not (dataset.columns.moment or dataset.has_times):
        found.pop("model.context_dropout", None)
    if "ranking" not in config.training.objective(config.model).heads:
        for name in ("co_occurrence", "co_occurrence_shrink"):
            found.pop(f"model.{name}", None)
    batch = found.get("training.batch")
    if batch is not None and batch is not ROWS:
        longest = max((*found["model.length"].choices, 1)) if "model.length" in found else len(dataset)
        each = min(len(dataset) / max(len(np.unique(dataset.user_codes)), 1), longest)
        few = tuple(one for one in batch.choices if one * each <= TARGETS)
        found["training.batch"] = Searched(choices=few or batch.choices[:1])
    # What is said in a form of its own, such as a learning rate for each part, stays.
    return {key: searched for key, searched in found.items() if not isinstance(held(config.sections, key), dict | list)}


def searchable(config: Config) -> dict[str, Searched]:
    """Options of these parts that say how they are searched."""
    model = config.model
    found = {f"model.{name}": searched for name, searched in searched_of(model.option_class).items()}
    if any(isinstance(part, Learned) for part in model.parts):
        found |= {f"training.{name}": searched for name, searched in searched_of(TrainingOptions).items()}
    if getattr(model, "learns_from", None) == "rows":
        found["training.batch"] = ROWS
    return found


def _own(config: Config, key: str) -> Any:
    """What the config says of an option, or leaves it at."""
    said = held(config.sections, key)
    section, _, name = key.partition(".")
    parts = {"model": config.model.options, "training": config.training, "text": getattr(config.encoder, "options", None)}
    value = said if said is not None else getattr(parts.get(section), name, None)
    if key == "training.batch" and value is None:
        value = 1024 if getattr(config.model, "learns_from", None) == "rows" else 32
    return tuple(value) if isinstance(value, list) else value


def _among(key: str, names: tuple[str, ...]) -> bool:
    return any(key == name or key.startswith(f"{name}.") for name in names)


def _suggested(trial: Trial, key: str, searched: Searched) -> Any:
    if searched.choices:
        return trial.suggest_categorical(key, [_plain(one) for one in searched.choices])
    assert searched.low is not None and searched.high is not None
    if searched.whole:
        return trial.suggest_int(key, int(searched.low), int(searched.high), log=searched.log)
    return trial.suggest_float(key, searched.low, searched.high, log=searched.log)


def _plain(choice: Any) -> Any:
    """A choice as a study keeps it: lists and tables as text."""
    return choice if choice is None or isinstance(choice, bool | int | float | str) else json.dumps(choice)


def _kept(value: Any, searched: Searched) -> Any:
    return _plain(value) if searched.choices else value


def _value(kept: Any, searched: Searched) -> Any:
    """What a config says for what a study keeps."""
    if searched.choices:
        return next(list(one) if isinstance(one, tuple) else one for one in searched.choices if _plain(one) == kept)
    if searched.whole:
        return int(kept)
    assert searched.low is not None and searched.high is not None
    return min(max(float(f"{kept:.{DIGITS}g}"), searched.low), searched.high)
