"""Files that a config names: relative to the folder it stands in, so written anew where it moves to another."""

from __future__ import annotations

import copy
import glob
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

__all__ = ["lost", "matching", "moved", "stands_in"]

TABLES = ("events", "items", "users", "validation", "test", "path")
"""Keys of ``[data]`` that name files or folders."""
SQLITE = re.compile(r"(sqlite(?:\+\w+)?:///)([^/?:][^?]*)(.*)")
"""A database that is a file, named relatively."""


def matching(path: str, base: Path) -> list[Path]:
    """The files that a path or a glob means, in order of their names. A file or a folder that exists under the very name wins over a pattern, so
    ``ev[1].csv`` is itself and not ``ev1.csv``."""
    full = base / Path(path).expanduser()
    if full.is_file():
        return [full]
    folder, rest = Path(), list(full.parts)
    while len(rest) > 1 and (folder / rest[0]).is_dir():
        folder /= rest.pop(0)
    named = (folder / name for name in glob.glob(str(Path(*rest)), root_dir=folder, recursive=True))
    return sorted(file for file in named if file.is_file())


def moved(sections: Mapping[str, Any], base: Path, to: Path | None) -> dict[str, Any]:
    """The same config for the folder ``to``: what ``base`` held stays found. None: by absolute paths.

    >>> moved({"data": {"events": "e.csv", "sql": "sqlite:///s.db"}}, Path("/shop"), Path("/shop/runs/a"))
    {'data': {'events': '../../e.csv', 'sql': 'sqlite:///../../s.db'}}
    """
    out: dict[str, Any] = copy.deepcopy(dict(sections))

    def seen(path: str) -> str:
        return _seen(path, base, to)

    data, text, corpus = (out[name] if isinstance(out.get(name), dict) else {} for name in ("data", "text", "pretraining"))
    for name in TABLES:
        _put(data, name, seen)
    _put(data, "sql", lambda address: SQLITE.sub(lambda found: f"{found[1]}{seen(found[2])}{found[3]}", address))
    if isinstance(model := text.get("model"), str) and model and os.path.isfile(_seen(f"{model}/config.json", base, None)):
        text["model"] = seen(model)  # else it is a name, or a folder beside no config
    _put(corpus, "corpus", seen)
    _put(out.get("tracking"), "folder", seen)
    return out


def stands_in(sections: Mapping[str, Any], folder: Path, about: Mapping[str, Any]) -> Path:
    """The folder that the paths in a run's config are relative to: the run's own or, where it was moved alone, the one it was written to, which may
    be gone: ``moved`` makes them absolute.

    ``about``: what ``about.json`` says. An older run, which does not say where it was written, holds the paths of the config it was trained from.
    """
    place = about.get("place")
    if place is None:
        return Path((about.get("data") or {}).get("folder") or ".")
    return Path(place) if lost(sections, folder) else folder


def lost(sections: Mapping[str, Any], base: Path) -> list[str]:
    """Files and folders of ``[data]`` that are not there, as seen from ``base``."""
    data = sections.get("data")
    if not isinstance(data, Mapping):
        return []
    named = [data[name] for name in TABLES if isinstance(data.get(name), str)]
    if isinstance(address := data.get("sql"), str) and (found := SQLITE.fullmatch(address)):
        named.append(found[2])
    return [path for path in named if not (base / os.path.expanduser(path)).exists() and not matching(path, base)]


def _put(section: Any, name: str, seen: Callable[[str], str]) -> None:
    said = section.get(name) if isinstance(section, dict) else None
    if isinstance(said, str):
        section[name] = seen(said)
    elif isinstance(said, list | tuple):
        section[name] = [seen(one) if isinstance(one, str) else one for one in said]


def _seen(path: str, base: Path, to: Path | None) -> str:
    whole = os.path.expanduser(path)
    if os.path.isabs(whole):
        return path
    there = os.path.normpath(base.resolve() / whole)
    if to is None:
        return there
    try:
        return Path(os.path.relpath(there, to.resolve())).as_posix()
    except ValueError:  # another drive
        return there
