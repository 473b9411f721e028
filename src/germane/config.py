"""A TOML file to parts. Every fault of a config is reported at once."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import tomli_w
from pydantic import BaseModel, ValidationError

from . import data, encoders, features, models, policies
from .component import build, faults, find
from .data import Dataset, Splitter
from .data.options import DataOptions, open_dataset
from .encoders import Encoder, NoText, PretrainedText
from .errors import ConfigError, nearest
from .evaluation import EvaluationOptions
from .features import Feature
from .models import Model
from .policies import Policy
from .recommender import Recommender
from .training import TrainingOptions

__all__ = ["Config"]

SECTIONS = ("seed", "data", "split", "text", "features", "model", "policy", "training", "evaluation")
M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")


@dataclass(frozen=True)
class Config:
    """A checked config: the parts it describes, and the TOML it came from."""

    sections: Mapping[str, Any]
    base: Path
    seed: int
    data: DataOptions
    split: Splitter
    encoder: Encoder | None
    features: tuple[Feature, ...] | None
    model: Model
    policy: Policy
    training: TrainingOptions
    evaluation: EvaluationOptions

    @classmethod
    def read(cls, path: str | Path, sets: Sequence[str] = ()) -> Config:
        """From a file, with ``section.key=value`` changes on top."""
        file = Path(path)
        try:
            sections = tomllib.loads(file.read_text(encoding="utf-8"))
        except (FileNotFoundError, IsADirectoryError):
            raise ConfigError(f"{file} is not a config: give a TOML file; germane init EVENTS writes one.") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{file} is not TOML: {error}.") from None
        for change in sets:
            apply(sections, change)
        return cls.of(sections, file.parent)

    @classmethod
    def of(cls, sections: Mapping[str, Any], base: Path) -> Config:
        """From the sections of a TOML text; file names are relative to ``base``."""
        found: list[str] = []

        def attempt(make: Callable[[], T], otherwise: T) -> T:
            try:
                return make()
            except ConfigError as error:
                found.extend(error.faults)
                return otherwise

        for name, value in sections.items():
            if name not in SECTIONS:
                found.append(f"[{name}] is not a section; sections are {', '.join(SECTIONS)}.{nearest(name, SECTIONS)}")
            elif name != "seed" and not isinstance(value, dict):
                found.append(f"{name} = {value!r} should be a section: write [{name}].")
        section = {name: value if isinstance(value := sections.get(name, {}), dict) else {} for name in SECTIONS}
        seed = sections.get("seed", 0)
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
            found.append(f"seed = {seed!r} should be a whole number from 0 to 4294967295.")
        options = attempt(lambda: _options(DataOptions, section["data"], "[data]"), DataOptions.model_construct())
        text = attempt(lambda: _encoder(section["text"]), None)
        made = cls(
            sections=sections,
            base=base,
            seed=seed if isinstance(seed, int) else 0,
            data=options,
            split=attempt(lambda: build(section["split"], data, Splitter, "[split]", "LeaveLastOut"), data.LeaveLastOut()),
            encoder=text,
            features=attempt(lambda: _features(section["features"]) if "features" in sections else None, None),
            model=attempt(lambda: build(section["model"], models, Model, "[model]", "ContextTransformer"), models.Popular()),
            policy=attempt(lambda: build(section["policy"], policies, Policy, "[policy]", "Greedy"), policies.Greedy()),
            training=attempt(lambda: _options(TrainingOptions, section["training"], "[training]"), TrainingOptions()),
            evaluation=attempt(lambda: _options(EvaluationOptions, section["evaluation"], "[evaluation]"), EvaluationOptions()),
        )
        if found:
            raise ConfigError(found)
        return made

    def dataset(self) -> Dataset:
        return open_dataset(self.data, self.base)

    def recommender(self, dataset: Dataset) -> Recommender:
        """The parts, untrained. Absent ``[text]``: the default language model where items have texts."""
        text = self.encoder if self.encoder is not None else (PretrainedText() if dataset.columns.text else NoText())
        if text.width and not dataset.columns.text:
            raise ConfigError(f"[text] use = {type(text).__name__!r} needs texts: name them in [data.columns] text, or leave [text] out.")
        return Recommender(
            self.model, text=text, features=self.features, policy=self.policy, seed=self.seed, exclude_seen=self.evaluation.exclude_seen
        )

    def dump(self) -> str:
        """The TOML text, with every change of the command line in it."""
        return tomli_w.dumps(dict(self.sections))

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.dump().encode()).hexdigest()


def apply(sections: dict[str, Any], change: str) -> None:
    """One ``section.key=value``; what is no TOML value is a string.

    >>> sections = {}
    >>> apply(sections, "model.width=32")
    >>> apply(sections, "split.use=ByTime")
    >>> sections
    {'model': {'width': 32}, 'split': {'use': 'ByTime'}}
    """
    key, equals, written = change.partition("=")
    if not equals or not key:
        raise ConfigError(f"--set {change!r}: write section.key=value.")
    try:
        value = tomllib.loads(f"value = {written}")["value"]
    except tomllib.TOMLDecodeError:
        value = written
    *path, last = key.strip().split(".")
    place = sections
    for step in path:
        place = place.setdefault(step, {})
        if not isinstance(place, dict):
            raise ConfigError(f"--set {change!r}: {step} is no section.")
    place[last] = value


def _options(kind: type[M], given: Mapping[str, Any], where: str) -> M:
    try:
        return kind(**given)
    except ValidationError as error:
        raise ConfigError(faults(error, where, kind)) from None


def _encoder(section: Mapping[str, Any]) -> Encoder | None:
    if not section:
        return None
    made: Encoder = build(section, encoders, Encoder, "[text]", "PretrainedText")
    return made


def _features(section: Mapping[str, Any]) -> tuple[Feature, ...]:
    names = section.get("use", ["Time", "Categories", "Numbers", "Place"])
    if not isinstance(names, list):
        raise ConfigError(f"[features] use = {names!r} should be a list of class names.")
    unknown = [name for name in section if name != "use" and name not in names]
    if unknown:
        raise ConfigError(f"[features.{unknown[0]}] belongs to no feature in use = {names}.{nearest(unknown[0], names)}")
    parts = []
    for name in names:
        part = find(name, features, Feature, "[features]")
        parts.append(part(**section.get(name, {})))
    return tuple(parts)
