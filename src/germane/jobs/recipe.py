"""A config to begin with, by what the tables hold and how much of it: what ``germane auto`` starts its search from."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from .guess import Guess
from .init import OFTEN, as_toml, taken_again

__all__ = ["Recipe", "Size", "recipe"]

MANY_ITEMS = 3000
"""From here on a softmax over the whole catalogue costs more than shared negatives, which lose nothing measurable."""
SHORT = 20
"""Events of the median user, below which histories are short: one block reads them, and more would learn them by heart."""
SIZES = ((20_000, 32, 16, 40), (200_000, 64, 32, 30), (None, 128, 256, 20))
"""Below so many events: width, batch, epochs at most."""


@dataclass(frozen=True)
class Size:
    """How much there is."""

    events: int
    users: int
    items: int
    per_user: float
    """Events of the median user."""


@dataclass(frozen=True)
class Recipe:
    """Sections of a config, and why they say what they say."""

    sections: dict[str, Any]
    why: tuple[str, ...]


def recipe(found: Guess, tables: Mapping[str, pl.DataFrame], files: dict[str, str]) -> Recipe:
    """The config that ``init`` would write, with the options that size decides.

    >>> events = pl.DataFrame({"user": ["a", "a", "b"], "item": ["x", "y", "x"]})
    >>> from .guess import guess
    >>> recipe(guess(events), {"events": events}, {"events": "e.csv"}).sections["model"]
    {'use': 'ContextTransformer', 'width': 32, 'blocks': 1, 'length': 50, 'dropout': 0.4}
    """
    again = taken_again(found, tables["events"])
    sections = tomllib.loads(as_toml(found, files, again))
    size = _size(found, tables)
    why = _held(found)
    split = sections["split"]["use"]
    why.append(
        {"ByTime": "Judged on the last tenth of the events, chosen on the tenth before.", "Given": "Judged on the parts that the events name."}.get(
            split, "Without times the order of the file counts: judged on everyone's last event, chosen on the one before."
        )
    )
    width, batch, epochs = next((width, batch, epochs) for below, width, batch, epochs in SIZES if below is None or size.events < below)
    why.append(f"{size.events:,} events: width {width}, batch {batch}, {epochs} epochs at most.")
    short = size.per_user < SHORT
    sections["model"] = {"use": "ContextTransformer", "width": width}
    sections["model"] |= {"blocks": 1, "length": 50, "dropout": 0.4} if short else {"blocks": 2, "length": 100, "dropout": 0.2}
    blocks = "one block, more dropout" if short else "two blocks"
    why.append(f"{size.per_user:g} events of the median user: {blocks}, the newest {sections['model']['length']} are read.")
    training = sections["training"] | {"epochs": epochs, "batch": batch, "refit": True}
    if size.items >= MANY_ITEMS:
        training |= {"loss": "sampled_softmax", "negatives": 2048}
        why.append(f"{size.items:,} items: learned against 2,048 shared negatives, which is quicker than against all.")
    else:
        why.append(f"{size.items:,} items: learned against all of them (softmax).")
    sections["training"] = training
    if again >= OFTEN:
        why.append(f"{again:.0%} of the events take again what their user took before, so lists may show it again.")
    why.append("refit: after validation has chosen, its events are learned from too.")
    return Recipe(sections, tuple(line.replace("\n", " ") for line in why))


def _size(found: Guess, tables: Mapping[str, pl.DataFrame]) -> Size:
    events = tables["events"]
    user, item = (_in_events(found.columns[meaning]) for meaning in ("user", "item"))
    counts = events.group_by(user).len()["len"]
    items = tables["items"].height if "items" in tables else events[item].n_unique()
    return Size(events.height, len(counts), items, float(counts.median() or 0.0))  # type: ignore[arg-type]


def _held(found: Guess) -> list[str]:
    """What the tables hold, and what is made of it."""
    columns, why = found.columns, []
    if columns.get("context"):
        why.append(f"Context {_names(columns['context'])}: the moment of each question.")
    if columns.get("text"):
        why.append(f"Texts {_names(columns['text'])}: a language model places items by what they say, new ones too.")
    if "label" in columns:
        why.append("Labels: a click head learns from them, beside lists.")
    elif "value" in columns:
        why.append(f"Values {_names(columns['value'])}: read with each event of the history; lists are what is learned.")
    if "words" in columns:
        why.append("Typed words: " + ("read with each question." if columns.get("text") else "not read, since no item has texts."))
    return why


def _in_events(column: Any) -> str:
    return str(column["events"] if isinstance(column, dict) else column)


def _names(columns: Any) -> str:
    return ", ".join(columns) if isinstance(columns, list) else _in_events(columns)
