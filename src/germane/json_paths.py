"""Where in a JSON something lies, as ``history[0].item``."""

from __future__ import annotations

import re
from typing import Any

import msgspec

__all__ = ["joined", "named", "shown"]

STEP = re.compile(r"([^.\[\]]+)|\[(\d+|\.\.\.)\]")
KINDS: dict[str, type] = {"object": dict, "array": list, "str": str, "int": int, "float": float, "bool": bool, "null": type(None)}
"""As msgspec calls them."""


def joined(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def named(given: Any, path: str, kind: str) -> str:
    """``path`` with the keys of mappings in it, of which msgspec says ``[...]``: the first under which a value of that ``kind`` lies there.

    >>> named({"context": {"mood": "sad", "weather": {"is": "wet"}}}, "context[...]", "object")
    'context.weather'
    """
    before, unnamed, after = path.partition("[...]")
    if not unnamed:
        return path
    node = _at(given, before)
    for key in node if isinstance(node, dict) else ():
        within = named(node[key], after.removeprefix("."), kind)
        if type(_at(node[key], within)) is KINDS.get(kind):
            return joined(before, str(key)) + (f".{within}" if within[:1] not in ("", "[") else within)
    return path


def shown(given: Any, path: str) -> str:
    """The value at a path, as JSON; empty where the path does not name one."""
    value = _at(given, path)
    return "" if value is msgspec.UNSET else msgspec.json.encode(value).decode()[:80]


def _at(given: Any, path: str) -> Any:
    """``msgspec.UNSET`` where nothing lies there."""
    node = given
    try:
        for name, index in STEP.findall(path):
            node = node[name] if name else node[int(index)]
    except (KeyError, IndexError, ValueError, TypeError):
        return msgspec.UNSET
    return node
