"""Begin from the data: guess what the columns mean and write a commented TOML that ``train`` accepts."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from ..data.clock import looks_like_times
from ..data.readers import read_files
from ..errors import ConfigError, DataError

__all__ = ["Guess", "guess", "init"]

NAMES = {
    "user": ("user", "userid", "user_id", "visitor", "visitorid", "visitor_id", "customer", "customerid", "customer_id", "session", "session_id"),
    "item": (
        "item",
        "itemid",
        "item_id",
        "product",
        "productid",
        "product_id",
        "movie",
        "movieid",
        "movie_id",
        "article",
        "article_id",
        "asin",
        "sku",
    ),
    "time": ("time", "timestamp", "date", "datetime", "created", "created_at", "ts"),
    "value": ("rating", "value", "score", "stars", "amount", "count", "cnt"),
    "kind": ("kind", "event", "event_type", "action", "type"),
    "label": ("label", "clicked", "click", "target"),
    "words": ("words", "query", "search", "search_term"),
}


@dataclass
class Guess:
    """What each column of the events seems to mean, and of the items which are texts and which are features."""

    meanings: dict[str, str] = field(default_factory=dict)
    context: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    side: list[str] = field(default_factory=list)
    user_side: list[str] = field(default_factory=list)


def guess(events: pl.DataFrame, items: pl.DataFrame | None = None, users: pl.DataFrame | None = None) -> Guess:
    """By name first, by content where names say nothing.

    >>> guess(pl.DataFrame({"customer": ["a"], "sku": ["x"], "weather": ["rain"]})).meanings
    {'user': 'customer', 'item': 'sku'}
    """
    found = Guess()
    lowered = {name.lower(): name for name in reversed(events.columns)}
    for meaning, names in NAMES.items():
        for name in names:
            if name in lowered and lowered[name] not in found.meanings.values():
                found.meanings[meaning] = lowered[name]
                break
    rest = [name for name in events.columns if name not in found.meanings.values()]
    if "time" not in found.meanings:
        times = [name for name in rest if _is_time(events[name])]
        if times:
            found.meanings["time"] = times[0]
            rest.remove(times[0])
    for meaning in ("user", "item"):
        if meaning not in found.meanings:
            raise DataError(f"no column of the events looks like the {meaning}: they have {', '.join(events.columns)}. Rename one to {meaning!r}.")
    shared = set(items.columns if items is not None else ()) | set(users.columns if users is not None else ())
    rows = max(events.height, 1)
    found.context = [
        n for n in rest if n not in shared and events[n].n_unique() > 1 and (_is_number(events[n]) or events[n].n_unique() <= max(50, rows // 20))
    ]
    if items is not None:
        key = found.meanings["item"]
        for name in items.columns:
            if name == key or items[name].n_unique() < 2 or name.lower() in ("url", "image", "link"):
                continue
            distinct = items[name].n_unique() / max(items.height, 1)
            words = items[name].cast(pl.String).fill_null("").str.count_matches(r"\s+").mean()
            if not _is_number(items[name]) and distinct > 0.5 and isinstance(words, float) and words >= 0.5:
                found.text.append(name)
            elif _is_number(items[name]) or distinct <= 0.5:
                found.side.append(name)
    if users is not None:
        found.user_side = [n for n in users.columns if n != found.meanings["user"] and 1 < users[n].n_unique() <= max(50, users.height // 2)]
    return found


def init(
    events: str, items: str | None = None, users: str | None = None, out: str | Path = "germane.toml", replace: bool = False
) -> tuple[Path, Guess]:
    """Read the tables, guess, and write the config beside nothing else; an existing file is kept unless ``replace``."""
    target = Path(out)
    if target.exists() and not replace:
        raise ConfigError(f"{target} exists: choose another place with -o, or add --replace.")
    tables = {name: read_files(path, Path()).frame if path else None for name, path in (("events", events), ("items", items), ("users", users))}
    assert tables["events"] is not None
    found = guess(tables["events"], tables["items"], tables["users"])
    for name, own, key in (("items", tables["items"], "item"), ("users", tables["users"], "user")):
        if own is not None and found.meanings[key] not in own.columns:
            has = ", ".join(own.columns)
            raise DataError(f"the {name} have no column {found.meanings[key]!r}, as the events call their {key}: they have {has}. Rename one.")
    files = {name: os.path.relpath(path, target.resolve().parent) for name, path in (("events", events), ("items", items), ("users", users)) if path}
    new = target.with_name(f".{target.name}.new")
    new.write_text(_toml(found, files), encoding="utf-8")
    os.replace(new, target)
    return target, found


def _toml(found: Guess, files: dict[str, str]) -> str:
    lines = ["# Written by germane init: read it, mend what was guessed wrong, then germane check and germane train.", "seed = 0", "", "[data]"]
    lines += [f"{name} = {_text(path)}" for name, path in files.items()]
    lines += ["", "[data.columns]"]
    lines += [f"{meaning} = {_text(name)}" for meaning, name in found.meanings.items()]
    for key, names, why in (
        ("context", found.context, "of the moment: what is known when the list is shown; take out what is only known afterwards"),
        ("text", found.text, "read by the language model, so that new items are placed by what they say"),
        ("side", found.side, "features of items"),
        ("user_side", found.user_side, "features of users"),
    ):
        if names:
            lines.append(f"{key} = [{', '.join(map(_text, names))}]  # {why}")
    lines += ["", "[split]", f'use = "{"ByTime" if "time" in found.meanings else "LeaveLastOut"}"  # what is held out to judge the model']
    if found.text:
        lines += ["", "[text]", 'use = "PretrainedText"  # "HashedText" needs no download']
    lines += ["", "[model]", 'use = "ContextTransformer"', "width = 64", "", "[training]", "epochs = 30  # at most: validation decides", ""]
    lines += ["[evaluation]", 'baselines = ["Popular", "PopularLately", "ItemNeighbours"]', ""]
    return "\n".join(lines)


def _text(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _is_number(column: pl.Series) -> bool:
    if column.dtype.is_numeric():
        return True
    given = column.drop_nulls().cast(pl.String)
    return bool(len(given)) and given.cast(pl.Float64, strict=False).null_count() == 0


def _is_time(column: pl.Series) -> bool:
    return column.dtype.is_temporal() or (column.dtype == pl.String and looks_like_times(column))
