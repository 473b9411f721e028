"""Which of the columns that are named as sensitive a run's model reads all the same."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..component import find
from ..config import model_of
from ..data import sources
from ..data.sources import Source
from ..errors import ConfigError

__all__ = ["names", "read_anyway", "reader_of"]

READ_BY = {
    "context": {"context"},
    "place": {"context", "side"},
    "text": {"text"},
    "words": {"words"},
    "side": {"side"},
    "user_side": {"side"},
    "value": {"history"},
    "kind": {"history"},
}
"""Meanings of columns: a model that has one of these abilities reads them. Histories weigh an event by its value or kind."""


def read_anyway(sections: Mapping[str, Any]) -> list[str]:
    """Of the sensitive columns of a config, those that its model reads in some meaning.

    ``ConfigError``: the config names a part that is not installed here, so what it reads is not known.
    """
    columns, reads = _columns(sections), model_of(sections).abilities.reads
    if reader_of(sections) is None:
        reads -= {"text", "words"}
    read = {name for meaning, by in READ_BY.items() if by & reads for name in names(columns.get(meaning))}
    if "text" in reads:
        read |= {name.strip() for name in re.findall(r"{([^{}]*)}", str(sections.get("data", {}).get("prompt", "")))}
    return [name for name in names(columns.get("sensitive")) if name in read]


def reader_of(sections: Mapping[str, Any]) -> str | None:
    """The encoder by which the model reads texts and what is typed; None: it reads neither, or nothing encodes them."""
    text = sections.get("text") or {}
    try:
        reads, there = bool(model_of(sections).abilities.reads & {"text", "words"}), bool(text or names(_columns(sections).get("text")))
    except ConfigError:  # a part that is not installed here may read texts, or bring them
        reads = there = True
    return str(text.get("use", "PretrainedText")) if reads and there and text.get("use") != "NoText" else None


def _columns(sections: Mapping[str, Any]) -> dict[str, Any]:
    """What columns mean; a known source's own hold where nothing is said."""
    said = sections.get("data", {})
    own: Mapping[str, Any] = find(said["use"], sources, Source, "[data]")().columns if "use" in said else {}
    return {**own, **said.get("columns", {})}


def names(said: Any) -> list[str]:
    """The columns of one meaning, however they are said."""
    return [said] if isinstance(said, str) else [str(name) for name in said or ()]
