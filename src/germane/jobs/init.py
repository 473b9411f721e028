"""Begin from the data: a commented TOML that ``train`` accepts."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import polars as pl

from ..data.readers import read_files
from ..data.truths import truths
from ..errors import ConfigError, DataError
from .guess import Guess, guess
from .output import write_text

__all__ = ["OFTEN", "as_toml", "init", "read_tables", "taken_again"]

OFTEN = 0.1
"""Share of events that take something again, from which on it is the rule."""
WHY = {
    "user": "who did it",
    "item": "what it was done to",
    "time": "when; without it the order of the file counts",
    "value": "how much, such as a rating",
    "kind": "what was done",
    "label": "1: taken up, 0: shown and not taken up",
    "words": "what the user typed when they asked",
    "split": "which part a row belongs to",
    "place": "where: latitude and longitude, or a cell",
    "context": "the moment: what is known when the list is shown. Take out what is only known afterwards",
    "text": "read by the language model, so that new items are placed by what they say",
    "side": "features of items",
    "user_side": "features of users",
}


def init(
    events: str, items: str | None = None, users: str | None = None, out: str | Path = "germane.toml", *, replace: bool = False
) -> tuple[Path, Guess]:
    """Read the tables, guess what their columns mean, and write the config; an existing file is kept unless ``replace``."""
    target = Path(out)
    if target.is_dir():
        raise ConfigError(f"{target} is a folder: name the TOML file to write.")
    if target.exists() and not replace:
        raise ConfigError(f"{target} exists: choose another place with -o, or add --replace.")
    files, tables = read_tables(events, items, users)
    found = guess(tables["events"], tables.get("items"), tables.get("users"))
    again = taken_again(found, tables["events"])
    write_text(as_toml(found, {name: _relative(path, target) for name, path in files.items()}, again), target)
    return target, found


def read_tables(events: str, items: str | None, users: str | None) -> tuple[dict[str, str], dict[str, pl.DataFrame]]:
    """The files that are given, and what they hold. Events that are none are refused: nothing could be guessed from them."""
    given = {"events": events, "items": items, "users": users}
    files = {name: os.path.expanduser(path) for name, path in given.items() if path is not None}
    tables = {name: read_files(path, None) for name, path in files.items()}
    if not tables["events"].frame.height:
        raise DataError(f"{tables['events'].name} holds no events: at least two users with events are needed.")
    return files, {name: table.frame for name, table in tables.items()}


def as_toml(found: Guess, files: dict[str, str], again: float = 0.0) -> str:
    """The config, each guess with what it stands for. ``again``: the share of events in which a user takes an item once more."""
    lines = ["# Written by germane init: mend what was guessed wrong, then germane check and germane train.", "seed = 0", "", "[data]"]
    lines += [f"{name} = {_toml(path)}" for name, path in files.items()]
    if texts := found.columns.get("text"):
        prompt = " ".join(f"{{{column}}}." for column in texts)
        lines.append(f"# prompt = {_toml(prompt)}  # how an item reads; without it its text columns, joined")
    lines += ["", "[data.columns]"]
    lines += [f"{meaning} = {_toml(found.columns[meaning])}  # {why}" for meaning, why in WHY.items() if meaning in found.columns]
    left = [f"{guessed.column} ({guessed.why})" for guessed in found.found if not guessed.meaning]
    if left:
        lines += ["# Left out: " + "; ".join(left).replace("\n", " ") + "."]
    if found.types:
        lines += ["", "[data.types]", *(f"{_key(column)} = {_toml(kind)}" for column, kind in found.types.items())]
    if found.liked or len(found.kinds) > 1:
        lines += ["", "[data.rules]"]
    if found.liked:
        lines.append(f"# positive = {_toml(found.liked)}  # what counts as liked; other events are history, and never what is to be predicted")
    if len(found.kinds) > 1:
        weights = ", ".join(f"{_toml(kind)} = 1.0" for kind in found.kinds)
        lines += [f"# kinds = {{{weights}}}  # the weight of each", f"# target = {_toml(found.kinds[-1])}  # the kind to predict"]
    split = "Given" if "split" in found.columns else "ByTime" if "time" in found.columns else "LeaveLastOut"
    lines += ["", "[split]", f'use = "{split}"  # what is held out to judge the model']
    if found.columns.get("text"):
        lines += ["", "[text]", 'use = "PretrainedText"  # HashedText needs no download, and knows no meaning']
    lines += ["", "[model]", 'use = "ContextTransformer"', "width = 64", "", "[policy]", 'use = "Greedy"  # EpsilonGreedy and PlackettLuce explore']
    lines += ["", "[training]", "epochs = 30  # at most: validation decides"]
    if "label" in found.columns:
        lines.append("heads = {ranking = 1.0, click = 0.5}  # lists, and the probability of a click, which learns from the labels")
    elif "value" in found.columns:
        lines.append("# heads = {ranking = 1.0, rating = 0.2}  # lists, and the value that a user would give")
    lines += ["", "[evaluation]"]
    rivals = ["Popular", *(["PopularLately"] if "time" in found.columns else []), "ItemNeighbours"]
    lines.append(f"baselines = {_toml(rivals)}  # judged beside the model")
    if again >= OFTEN:
        lines.append(f"exclude_seen = false  # {again:.0%} of the events take again what the same user took before, so lists may show it again")
    if found.columns.get("context"):
        lines.append('# variants = ["without context", "context shuffled"]  # the first trains a second time: what is context worth?')
    lines.append("")
    return "\n".join(lines)


def taken_again(found: Guess, events: pl.DataFrame) -> float:
    """Share of events whose user had that item before; 0 where kinds differ, since who views and then buys takes once."""
    pair = [name["events"] if isinstance(name, dict) else name for name in (found.columns.get("user"), found.columns.get("item"))]
    if len(found.kinds) > 1 or not events.height or not all(isinstance(name, str) and name in events.columns for name in pair):
        return 0.0
    label = found.columns.get("label")
    if isinstance(label, str):  # what was not taken was not taken again
        events = events.filter(truths(events[label]) != 0)
    return 1 - events.select(pair).n_unique() / events.height


def _relative(path: str, target: Path) -> str:
    try:
        return Path(os.path.relpath(path, target.resolve().parent)).as_posix()
    except ValueError:  # another drive
        return os.path.abspath(path)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _toml(name)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(inner) for inner in value) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
