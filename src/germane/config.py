"""A TOML file to parts. Every fault of a config is reported at once."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import tomli_w
import torch
from pydantic import BaseModel, ValidationError

from . import data, encoders, features, models, policies
from .component import Faults, build, exported, faults, find
from .data import Columns, Dataset, Splitter, sources
from .data.options import DataOptions, open_dataset, read_toml
from .data.rules import lacking
from .data.sources import Source
from .encoders import Encoder, HashedText, NoText, PretrainedText, prompts
from .errors import ConfigError, nearest
from .evaluation import EvaluationOptions, check_metric
from .features import Feature
from .models import Model, TwoStage, rankers
from .models.rankers import Ranker
from .models.two_stage import RankerOptions
from .policies import Policy
from .recommender import Recommender
from .search_space import Searched, SearchOptions, put, ranges_of
from .setting import apply
from .training import TrainingOptions
from .training.pretraining import PretrainingOptions
from .training.tracking import TrackingOptions

__all__ = ["SECTIONS", "Config", "apply", "check_tuning", "model_of", "read_toml"]

SECTIONS = (
    *("seed", "data", "split", "text", "features", "model", "ranker", "policy", "pretraining", "training", "evaluation"),
    *("tracking", "search"),
)
"""Top keys of a config; all but ``seed`` are sections."""

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
    pretraining: PretrainingOptions = field(default_factory=PretrainingOptions)
    baselines: tuple[Model, ...] = ()
    """Those of ``[evaluation]``, made."""
    tracking: TrackingOptions = field(default_factory=TrackingOptions)
    search: SearchOptions = field(default_factory=SearchOptions)
    why: tuple[str, ...] = ()
    """Lines of comment above what is dumped: why it says what it says."""

    @classmethod
    def read(cls, path: str | Path, sets: Sequence[str] = ()) -> Config:
        """From a file, with ``section.key=value`` changes on top."""
        file = Path(path)
        sections = read_toml(file)
        for change in sets:
            apply(sections, change)
        return cls.of(sections, file.parent)

    @classmethod
    def of(cls, sections: Mapping[str, Any], base: Path) -> Config:
        """From the sections of a TOML text; file names are relative to ``base``.

        >>> Config.of({"data": {"events": "e.csv"}, "policy": {"use": "EpsilonGreedy", "epsilon": 0.2}}, Path()).policy
        EpsilonGreedy(epsilon=0.2)
        """
        sections = _plain(sections)
        found: list[str] = []

        def attempt(make: Callable[[], T], otherwise: T) -> T:
            try:
                return make()
            except ConfigError as error:
                found.extend(error.faults)
                return otherwise

        for name, value in sections.items():
            if name not in SECTIONS:
                what = f"[{name}] is not a section" if isinstance(value, dict) else f"{name!r} is no key of the top, where only seed stands"
                found.append(f"{what}; sections are {', '.join(SECTIONS[1:])}.{nearest(name, SECTIONS)}")
            elif name != "seed" and not isinstance(value, dict):
                found.append(f"{name} = {value!r} should be a section: write [{name}].")
        section = {name: value if isinstance(value := sections.get(name, {}), dict) else {} for name in SECTIONS}
        seed = sections.get("seed", 0)
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
            found.append(f"seed = {seed!r} should be a whole number from 0 to 4294967295.")
        alone = "data" not in sections and bool(section["pretraining"].get("corpus"))  # texts of a corpus, for pretraining and nothing else
        readable = None if alone else attempt(lambda: _options(DataOptions, section["data"], "[data]"), None)
        options = readable or DataOptions.model_construct()
        text = attempt(lambda: _encoder(section["text"], base), None)
        columns = attempt(lambda: _columns(readable) if readable else None, None)
        evaluation = attempt(lambda: _options(EvaluationOptions, section["evaluation"], "[evaluation]"), EvaluationOptions())
        if columns is not None:
            if not columns.text and text is not None and not isinstance(text, NoText | HashedText):
                found.append(_no_texts(text))
            found += lacking(options.rules, columns)
            attempt(partial(evaluation.check_kinds, columns.kind is not None), None)
        parted = options.validation or options.test or (columns is not None and columns.split is not None)
        usual = "Given" if parted else "LeaveLastOut"
        nothing: Model = models.Popular()
        made = cls(
            sections=sections,
            base=base,
            seed=seed if isinstance(seed, int) else 0,
            data=options,
            split=attempt(lambda: build(section["split"], data, Splitter, "[split]", usual), data.LeaveLastOut()),
            encoder=text,
            features=attempt(lambda: _features(section["features"]) if "features" in sections else None, None),
            model=attempt(lambda: model_of({name: section[name] for name in ("model", "ranker") if name in sections}), nothing),
            policy=attempt(lambda: build(section["policy"], policies, Policy, "[policy]", "Greedy"), policies.Greedy()),
            training=attempt(lambda: _options(TrainingOptions, section["training"], "[training]"), TrainingOptions()),
            evaluation=evaluation,
            pretraining=attempt(lambda: _options(PretrainingOptions, section["pretraining"], "[pretraining]"), PretrainingOptions()),
            baselines=tuple(m for m in (attempt(partial(_baseline, said), None) for said in evaluation.baselines) if m is not None),
            tracking=attempt(lambda: _options(TrackingOptions, section["tracking"], "[tracking]"), TrackingOptions()),
            search=attempt(lambda: _options(SearchOptions, section["search"], "[search]"), SearchOptions()),
        )
        known = made.model is not nothing  # else it stands for one that could not be made, and has no faults of its own
        objective = attempt(lambda: made.training.objective(made.model), None) if known else None
        if objective is not None and made.training.metric is not None:
            attempt(partial(check_metric, made.training.metric, objective.heads), None)
        attempt(lambda: _device(made.training.device), None)
        if text is not None:
            attempt(partial(check_tuning, made.model, text) if known else lambda: None, None)
            found += _never_learns(text, made.training.epochs)
        if made.features and known and "context" not in made.model.abilities.reads:
            found.append(_no_context(made.features, made.model))
        for baseline in made.baselines:
            if not evaluation.k and made.training.suited(baseline).objective(baseline).first() == "ranking":
                found.append(f"[evaluation] baselines: {type(baseline).__name__} only ranks, and k = [] judges no lists: say k, or leave it out.")
        if section["search"]:
            space = section["search"].get("space")
            ranges: dict[str, Searched] = attempt(lambda: ranges_of(space if isinstance(space, dict) else {}), {})
            found += [] if found else dict.fromkeys(_out_of_bounds(sections, base, ranges))
        if found:
            raise ConfigError(found)
        return made

    def dataset(self) -> Dataset:
        if "data" not in self.sections:
            _options(DataOptions, {}, "[data]")  # says what is missing
        return open_dataset(self.data, self.base)

    def recommender(self, dataset: Dataset) -> Recommender:
        """The parts, untrained. Absent ``[text]``: the default language model where items have texts.

        A model or a baseline that cannot learn from these data is refused here, before anything is trained.
        """
        text = self.encoder if self.encoder is not None else (PretrainedText() if dataset.columns.text else NoText())
        if not dataset.columns.text and not isinstance(text, NoText | HashedText):
            raise ConfigError(_no_texts(text))
        refused = Faults()
        refused.attempt(lambda: prompts(dataset.items.head(0), dataset.prompt, dataset.columns.text, dataset.separators))
        for model in (self.model, *self.baselines):
            refused.attempt(partial(model.check, dataset, text))
        refused.tell()
        text.on(self.training.device)
        return Recommender(
            self.model, text=text, features=self.features, policy=self.policy, seed=self.seed, exclude_seen=self.evaluation.exclude_seen
        )

    def dump(self) -> str:
        """The TOML text, with every change of the command line in it."""
        return "".join(f"# {line}\n" for line in self.why) + tomli_w.dumps(dict(self.sections))

    @property
    def sha256(self) -> str:
        """Of what it says, whatever the order of its keys."""
        return hashlib.sha256(json.dumps(self.sections, sort_keys=True).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """TOML's dates as ISO text, so that a config is JSON too."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value.isoformat() if isinstance(value, date | time) else value


def model_of(sections: Mapping[str, Any]) -> Model:
    """What ``[model]`` describes; with a ``[ranker]`` the first of two."""
    section, ranker = sections.get("model", {}), sections.get("ranker")
    if ranker is None:
        first: Model = build(section, models, Model, "[model]", "ContextTransformer")
        return first
    refused = Faults()
    refused.attempt(lambda: build(section, models, Model, "[model]", "ContextTransformer"))
    refused.attempt(lambda: _check_ranker(ranker))
    refused.tell()
    own = {name: value for name, value in ranker.items() if name in RankerOptions.model_fields}
    second = {name: value for name, value in ranker.items() if name not in own}
    return TwoStage(first={"use": "ContextTransformer", **section}, ranker=second, **own)


def _check_ranker(ranker: Mapping[str, Any]) -> None:
    own = {name: value for name, value in ranker.items() if name in RankerOptions.model_fields}
    second = {name: value for name, value in ranker.items() if name not in own}
    part = find(second["use"], rankers, Ranker, "[ranker]") if isinstance(second.get("use"), str) else None
    if part is not None:
        options = [*part.option_class.model_fields, *RankerOptions.model_fields]
        wrong = [name for name in second if name not in ("use", *options)]
        if wrong:
            raise ConfigError(
                [f"[ranker] {part.__name__} has no option {name!r}; options are {', '.join(options)}.{nearest(name, options)}" for name in wrong]
            )
    build(second, rankers, Ranker, "[ranker]")
    _options(RankerOptions, own, "[ranker]")


def _baseline(said: str | Mapping[str, Any]) -> Model:
    made: Model = build({"use": said} if isinstance(said, str) else said, models, Model, "[evaluation] baselines:")
    return made


def _options(kind: type[M], given: Mapping[str, Any], where: str) -> M:
    try:
        return kind(**given)
    except ValidationError as error:
        raise ConfigError(faults(error, where, kind)) from None


def _out_of_bounds(sections: Mapping[str, Any], base: Path, ranges: Mapping[str, Searched]) -> Iterator[str]:
    """What a config would be told that said an end of a range, or a choice, of ``[search]``."""
    for key, searched in ranges.items():
        for value in searched.ends:
            said = copy.deepcopy({name: value for name, value in sections.items() if name != "search"})
            try:
                put(said, key, list(value) if isinstance(value, tuple) else value)
                Config.of(said, base)
            except ConfigError as error:
                yield from (f"[search] space: {fault}" for fault in error.faults)


def _encoder(section: Mapping[str, Any], base: Path) -> Encoder | None:
    """A ``model`` that is a folder beside the config is that one, wherever the command is given and the run is read."""
    if not section:
        return None
    if isinstance(model := section.get("model"), str) and model and (base / model / "config.json").is_file():
        section = {**section, "model": str((base / model).resolve())}
    made: Encoder = build(section, encoders, Encoder, "[text]", "PretrainedText")
    return made


def _columns(options: DataOptions) -> Columns:
    """What is said of the columns; a known source's own hold where nothing is."""
    own = {} if options.use is None else find(options.use, sources, Source, "[data]")().columns
    return Columns.model_validate({**own, **options.columns})


def _device(name: str) -> None:
    """Refuse what is no device anywhere; whether it is here, training asks."""
    try:
        torch.device("cpu" if name == "auto" else name)
    except RuntimeError:
        raise ConfigError(f"[training] device = {name!r}: choose auto, cpu, cuda, or one of several by its number, such as cuda:1.") from None


def _no_texts(text: Encoder) -> str:
    todo = "name them in [data.columns] text, or leave [text] out; all models but ContentNeighbours do without"
    return f"[text] use = {type(text).__name__!r} needs texts: {todo}."


def check_tuning(model: Model, text: Encoder) -> None:
    """Refuse a language model that is to learn beside a model that cannot learn through texts."""
    if text.learns and not model.abilities.tunes:
        able = ", ".join(name for name, part in exported(models, Model).items() if part.abilities.tunes)
        raise ConfigError(
            f"[text] tuning = {text.settings()['tuning']!r}: {type(model).__name__} does not learn through texts; models that do: {able}. "
            "Take one of them alone, or tuning = 'frozen'."
        )


def _never_learns(text: Encoder, epochs: int) -> list[str]:
    waits = text.settings().get("frozen_epochs") if text.learns else None
    if waits is None or waits < epochs:
        return []
    return [f"[text] frozen_epochs = {waits}: of [training] epochs = {epochs} none is left to learn in; say fewer, or leave it out for half of them."]


def _no_context(asked: Sequence[Feature], model: Model) -> str:
    able = [name for name, part in exported(models, Model).items() if "context" in part.abilities.reads]
    names = ", ".join(type(part).__name__ for part in asked)
    who = type(model).__name__
    return f"[features] asks for {names}, and {who} reads no context; models that do are {', '.join(able)}: take one, or leave [features] out."


def _features(section: Mapping[str, Any]) -> tuple[Feature, ...]:
    known = [name for name in features.__all__ if name in exported(features, Feature)]
    names = section.get("use", known)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ConfigError(f"[features] use = {names!r} should be a list of class names, such as {known}.")
    short = [name.rpartition(":")[2] for name in names]
    wrong = [f"[features.{name}] belongs to no feature in use = {names}.{nearest(name, short)}" for name in section if name not in ("use", *short)]
    parts = []
    for name, own in zip(names, short, strict=True):
        options = section.get(own, {})
        try:
            if not isinstance(options, dict):
                raise ConfigError(f"[features] {own} = {options!r} should be a table of options.")
            parts.append(build({**options, "use": name}, features, Feature, f"[features.{own}]"))
        except ConfigError as error:
            wrong += error.faults
    if wrong:
        raise ConfigError(wrong)
    return tuple(parts)
