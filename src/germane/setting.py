"""One change of a config, as ``--set`` says it: ``section.key=value``."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from .errors import ConfigError

__all__ = ["apply"]

_STEP = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'[^']*'|[^.="'][^.=]*?)\s*([.=])""", re.DOTALL)


def apply(sections: dict[str, Any], change: str) -> None:
    """One ``section.key=value``; what is no TOML value is a string. A name that holds a dot stands in quotes, as in TOML.

    >>> sections = {}
    >>> apply(sections, "model.width=32")
    >>> apply(sections, "data.types.'user.age'=number")
    >>> sections
    {'model': {'width': 32}, 'data': {'types': {'user.age': 'number'}}}
    """
    *path, last, written = _parted(change)
    place = sections
    for step in path:
        place = place.setdefault(step, {})
        if not isinstance(place, dict):
            raise ConfigError(f"--set {change!r}: {step} holds one value, so no key can stand below it.")
    place[last] = _value(written.strip())


def _parted(change: str) -> list[str]:
    """The names before the equals sign, and what stands behind it."""
    names, at, end = [], 0, "."
    while end == "." and (step := _STEP.match(change, at)):
        name, end, at = step[1], step[2], step.end()
        names.append(_value(name) if name[0] in "\"'" else name)
    if end != "=":
        raise ConfigError(f"--set {change!r}: write section.key=value, such as training.epochs=5; a name that holds a dot stands in quotes.")
    return [*names, change[at:]]


def _value(written: str) -> Any:
    try:
        said = tomllib.loads(f"value = {written}")
    except tomllib.TOMLDecodeError:
        return written
    return said["value"] if set(said) == {"value"} else written
