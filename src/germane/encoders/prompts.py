"""Make one text of an item's columns: the prompt that the language model reads."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from ..errors import ConfigError, nearest

__all__ = ["prompts"]

_FIELD = re.compile(r"\{([^{}]+)\}")
_CLOSERS = re.compile(r"^[)\]}\"'»”’]+")
_LEADING = re.compile(r"^[\s.,;:!?/|·–—-]+")
_ENDS_SENTENCE = (".", "!", "?", "…")


def prompts(items: pl.DataFrame, template: str | None, text_columns: Sequence[str], separators: Mapping[str, str]) -> list[str]:
    """One text a row. Columns with several values are listed with commas; what surrounds a missing value goes with it.

    Without a template the text columns are joined by full stops; without either every text is empty.

    >>> films = pl.DataFrame({"title": ["Heat", "Alien"], "genres": ["Crime|Drama", None]})
    >>> prompts(films, "{title}. {genres}.", [], {"genres": "|"})
    ['Heat. Crime, Drama.', 'Alien.']
    """
    if template is None:
        literals, fields = ["", *[". "] * (len(text_columns) - 1), ""], list(text_columns)
        where = "[data.columns] text"
    else:
        literals, fields = _parse(template)
        where = "[data] prompt"
    unknown = [name for name in dict.fromkeys(fields) if name not in items.columns]
    if unknown:
        allowed = ", ".join(items.columns)
        raise ConfigError([f"{where} names the column {name!r}; the items have {allowed}.{nearest(name, items.columns)}" for name in unknown])
    if not fields:
        return [""] * items.height
    columns = [_values(items[name], separators.get(name)) for name in fields]
    return [_fill(literals, row) for row in zip(*columns)]


def _parse(template: str) -> tuple[list[str], list[str]]:
    """What stands between the fields (one more than fields), and the fields."""
    parts = _FIELD.split(template)
    literals, fields = parts[0::2], [name.strip() for name in parts[1::2]]
    if any("{" in literal or "}" in literal for literal in literals):
        raise ConfigError(f'[data] prompt = {template!r} has a lone brace; columns are written in braces, such as "{{title}}. {{genres}}."')
    if not fields:
        raise ConfigError(
            f'[data] prompt = {template!r} names no column, so every item would read the same; write columns in braces, such as "{{title}}."'
        )
    return literals, fields


def _values(column: pl.Series, separator: str | None) -> list[str]:
    if column.dtype == pl.Float32:
        column = column.cast(pl.String).cast(pl.Float64)  # 3.7, not 3.700000047683716
    return [_say(value, separator) for value in column.to_list()]


def _say(value: Any, separator: str | None) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(filter(None, (_say(one, None) for one in value)))
    if isinstance(value, float):
        if not math.isfinite(value):
            return ""
        return str(int(value)) if value.is_integer() else str(value)
    if separator and isinstance(value, str):
        return ", ".join(filter(None, (_say(one, None) for one in value.split(separator))))
    return " ".join(str(value).split())


def _fill(literals: Sequence[str], values: Sequence[str]) -> str:
    """Each value brings the words before it and the brackets behind it; the end of the template closes the text."""
    text = ""
    for place, value in enumerate(values):
        if not value:
            continue
        closers = _CLOSERS.match(literals[place])
        before = literals[place][closers.end() :] if closers and place else literals[place]
        if place and not text:
            before = _LEADING.sub("", before)
        text = _join(text, before) + value
        if after := _CLOSERS.match(literals[place + 1]):
            text += after.group()
    if not text:
        return ""
    end = literals[-1]
    if values and (closers := _CLOSERS.match(end)):
        end = end[closers.end() :]
    if values and not values[-1]:
        end = re.sub(r"[^.!?…]", "", end)
    return " ".join(_join(text, end).split())


def _join(text: str, more: str) -> str:
    return text + more[1:] if more.startswith(".") and text.endswith(_ENDS_SENTENCE) else text + more
