"""Write docs/options.md from the code: every part that a config can name, its options, their types and defaults.

`python scripts/document_options.py` rewrites the page; tests/test_docs.py fails where it is stale.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, get_args, get_origin

from pydantic.fields import FieldInfo

from germane import data, encoders, features, models, policies
from germane.component import Options, exported
from germane.data import Columns, Rules, Splitter, sources
from germane.data.augmentation import AugmentOptions
from germane.data.columns import Conversion
from germane.data.format import Format
from germane.data.options import DataOptions
from germane.data.sources import Source
from germane.encoders import Encoder, augmentation
from germane.encoders.augmentation import Augmenter
from germane.evaluation import EvaluationOptions
from germane.features import Feature
from germane.models import Model, rankers
from germane.models.rankers import Ranker
from germane.models.two_stage import RankerOptions
from germane.policies import Policy
from germane.search_space import Searched, SearchOptions
from germane.training import AdversarialOptions, ContrastOptions, MaskedOptions, TrainingOptions
from germane.training.pretraining import PretrainingOptions
from germane.training.tracking import TrackingOptions

PAGE = Path(__file__).parents[1] / "docs" / "options.md"

HEAD = """# Every option

Written by `scripts/document_options.py` from the code; [config.md](config.md) explains how a config is built. A section with `use` takes
the options of the class that it names; any of your own classes is named by `"module:Class"`. *Searched*: where [germane search](search.md)
looks for an option of a config that says nothing else.
"""

SECTIONS: list[tuple[str, ModuleType | type[Options], type | None]] = [
    ("[data]", DataOptions, None),
    ("[data.format]", Format, None),
    ("[data.columns]", Columns, None),
    ("[data.rules]", Rules, None),
    ("[data.rules.conversion]", Conversion, None),
    ("[data] use", sources, Source),
    ("[split]", data, Splitter),
    ("[text]", encoders, Encoder),
    ("[text] augment", augmentation, Augmenter),
    ("[features]", features, Feature),
    ("[model]", models, Model),
    ("[ranker]", RankerOptions, None),
    ("[ranker] use", rankers, Ranker),
    ("[policy]", policies, Policy),
    ("[pretraining]", PretrainingOptions, None),
    ("[training]", TrainingOptions, None),
    ("[training] augment", AugmentOptions, None),
    ("[training] adversarial", AdversarialOptions, None),
    ("[training] contrast", ContrastOptions, None),
    ("[training] masked", MaskedOptions, None),
    ("[evaluation]", EvaluationOptions, None),
    ("[tracking]", TrackingOptions, None),
    ("[search]", SearchOptions, None),
]


def page() -> str:
    parts = [HEAD]
    for section, holder, base in SECTIONS:
        parts.append(f"## `{section}`\n")
        if inspect.ismodule(holder) and base is not None:
            for name, part in exported(holder, base).items():
                parts.append(f'### `use = "{name}"`\n\n{summary(part)}\n')
                parts += [table(part.option_class)] if part.option_class.model_fields else ["It has no options.\n"]
        elif inspect.isclass(holder):
            parts.append(table(holder))
    return "\n".join(parts)


def summary(part: type) -> str:
    """The first paragraph of its docstring."""
    return marked((inspect.getdoc(part) or "").split("\n\n")[0])


def table(options: type[Options]) -> str:
    rows = [f"| `{name}` | {kind(field)} | {default(field)} | {says(field)} |" for name, field in options.model_fields.items()]
    return "\n".join(["| option | type | default | |", "|---|---|---|---|", *rows, ""])


def kind(field: FieldInfo) -> str:
    said = named(field.annotation)
    bounds = [f"{sign} {getattr(limit, name)}" for limit in field.metadata for name, sign in BOUNDS.items() if hasattr(limit, name)]
    return f"{said} ({', '.join(bounds)})" if bounds else said


BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
WORDS = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false", "Any": "any"}


def named(annotation: Any) -> str:
    arguments = get_args(annotation)
    origin = get_origin(annotation)
    if origin is tuple:
        return f"list of {named(arguments[0])}s"
    if origin is dict or origin is Mapping:
        return "table"
    if origin is Annotated:
        return named(arguments[0])
    if inspect.isclass(annotation) and issubclass(annotation, Options):
        return "table"
    if origin is not None and str(origin).endswith("Literal"):
        return " or ".join(f"`{value!r}`".replace("'", '"') for value in arguments)
    if arguments:
        return " or ".join(dict.fromkeys(named(one) for one in arguments if one is not type(None)))
    return WORDS.get(getattr(annotation, "__name__", str(annotation)), getattr(annotation, "__name__", str(annotation)))


def default(field: FieldInfo) -> str:
    if field.is_required():
        return "must be said"
    value = field.get_default(call_default_factory=True)
    if value is None or value == {} or value == () or isinstance(value, Options):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{list(value)!r}`".replace("'", '"') if isinstance(value, tuple) else f"`{value!r}`".replace("'", '"')


def says(field: FieldInfo) -> str:
    searched = "".join(f" *Searched: {one}.*" for one in field.metadata if isinstance(one, Searched))
    return marked(field.description or "").replace("|", "\\|") + searched


def marked(text: str) -> str:
    """One line, with Markdown's single backticks."""
    return re.sub(r"``(.+?)``", r"`\1`", " ".join(text.split()))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE.name, file=sys.stderr)
