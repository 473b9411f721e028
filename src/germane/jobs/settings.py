"""What a config says, value by value, with the defaults of the parts that it names: what cards and reports set beside each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

from .. import data, encoders, models, policies
from ..component import Options, find
from ..data import Splitter
from ..encoders import Encoder
from ..errors import ConfigError
from ..evaluation import EvaluationOptions
from ..models import Model
from ..policies import Policy
from ..training import TrainingOptions

__all__ = ["defaults", "differing", "flat"]

PARTS: Mapping[str, tuple[ModuleType, type, str | None]] = {
    "split": (data, Splitter, "LeaveLastOut"),
    "text": (encoders, Encoder, "PretrainedText"),
    "model": (models, Model, "ContextTransformer"),
    "policy": (policies, Policy, "Greedy"),
}
OPTIONS: Mapping[str, type[Options]] = {"training": TrainingOptions, "evaluation": EvaluationOptions}


def flat(sections: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Dotted names.

    >>> flat({"seed": 1, "model": {"width": 32}})
    {'seed': 1, 'model.width': 32}
    """
    found: dict[str, Any] = {}
    for name, value in sections.items():
        found |= flat(value, f"{before}{name}.") if isinstance(value, Mapping) and value else {f"{before}{name}": value}
    return found


def defaults(sections: Mapping[str, Any]) -> dict[str, Any]:
    """What holds where these sections say nothing, by dotted name. A part of one's own that is not installed here has none to tell.

    >>> defaults({"training": {}})["training.accumulate"]
    1
    """
    return {"seed": 0, **dict(_defaults(sections))}


def differing(sections: Mapping[str, Any]) -> dict[str, Any]:
    """What is said and is no default; the data aside, which are no option.

    >>> differing({"training": {"epochs": 3, "accumulate": 1}, "data": {"events": "e.csv"}})
    {'training.epochs': 3}
    """
    usual = defaults(sections)
    said = flat({name: section for name, section in sections.items() if name not in ("data", "tracking")})
    return {name: value for name, value in said.items() if name not in usual or usual[name] != value}


def _defaults(sections: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, options in OPTIONS.items():
        yield from _of(name, options)
    for name, (package, base, usual) in PARTS.items():
        said = sections.get(name, {})
        use = said.get("use", usual)
        if usual is not None and name in ("split", "model", "policy"):
            yield f"{name}.use", usual
        if isinstance(use, str) and (name != "text" or said):
            try:
                yield from _of(name, find(use, package, base, name).option_class)
            except ConfigError:
                continue


def _of(section: str, options: type[Options]) -> Iterator[tuple[str, Any]]:
    for name, field in options.model_fields.items():
        if not field.is_required():
            value = field.get_default(call_default_factory=True)
            yield f"{section}.{name}", list(value) if isinstance(value, tuple) else value
