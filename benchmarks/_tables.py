"""A data set written as files again: fewer users, fewer or more events, a split of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from germane.config import Config
from germane.data import Dataset, Split

Sections = dict[str, Any]
KEPT_RULES = {"positive", "kinds", "target", "hold_out_items"}
"""The others have been applied already."""


def opened(sections: Sections, folder: Path) -> tuple[Dataset, Split]:
    config = Config.of(sections, folder)
    dataset = config.dataset()
    return dataset, config.split.divide(dataset)


def events_of(dataset: Dataset) -> pl.DataFrame:
    """Events as they came: ids for codes, times as times, context under its own names."""
    events = dataset.events
    times = [(pl.col("time") * 1e6).round().cast(pl.Int64).cast(pl.Datetime("us"))] if dataset.has_times else []
    kept = [name for name in ("value", "kind", "label", "split", "words") if name in events.columns]
    context = [pl.col(f"context:{name}").alias(name) for name in dataset.columns.moment if f"context:{name}" in events.columns]
    ids = [pl.Series("user", dataset.users["id"].gather(events["user"])), pl.Series("item", dataset.items["id"].gather(events["item"]))]
    return pl.DataFrame(ids).hstack(events.select(*times, *kept, *context).get_columns())


def as_files(
    dataset: Dataset, folder: Path, events: pl.DataFrame | None = None, *, without: tuple[str, ...] = (), all_items: bool = True
) -> Sections:
    """The ``[data]`` section of what it writes into ``folder``. ``events``: instead of the data set's own, in the same form; ``without``: meanings of
    columns that are left out, such as ``words``; ``all_items=False``: only those that have events."""
    place = folder / f"tables-{len(list(folder.glob('tables-*')))}"
    place.mkdir(parents=True)
    frame = events_of(dataset) if events is None else events
    items = dataset.items if all_items else dataset.items.filter(pl.col("id").is_in(frame["item"].unique().implode()))
    users = dataset.users.filter(pl.col("id").is_in(frame["user"].unique().implode()))
    for name, table in (("events", frame), ("items", items), ("users", users)):
        table.write_parquet(place / f"{name}.parquet")
    said = dataset.columns
    columns: dict[str, Any] = {"user": {"events": "user", "users": "id"}, "item": {"events": "item", "items": "id"}}
    columns |= {name: name for name in ("time", "value", "kind", "label", "split", "words") if name in frame.columns and name not in without}
    columns |= {name: list(getattr(said, name)) for name in ("context", "place", "text", "side", "user_side", "sensitive") if getattr(said, name)}
    columns |= {name: getattr(said, name) for name in ("image", "vector") if getattr(said, name)}
    section: Sections = {name: f"{place.name}/{name}.parquet" for name in ("events", "items", "users")}
    section |= {"columns": columns, "types": {name: _type(dataset, name, kind) for name, kind in dataset.types.items()}}
    section["rules"] = {k: v for k, v in dataset.rules.model_dump(mode="json", exclude_defaults=True).items() if k in KEPT_RULES}
    return section | ({"prompt": dataset.prompt} if dataset.prompt else {})


def parted(dataset: Dataset, split: Split) -> pl.DataFrame:
    """``events_of`` with the split as a column, for ``Given``; events of no part are left out."""
    names = np.full(len(dataset), "", dtype=object)
    for part in ("train", "validation", "test"):
        names[getattr(split, part)] = part
    frame = events_of(dataset)
    return frame.with_columns(split=pl.Series(names.tolist(), dtype=pl.String)).filter(pl.col("split") != "")


def fewer_users(dataset: Dataset, users: int, seed: int = 0) -> NDArray[np.int64]:
    """Rows of the events of so many users, drawn at random."""
    there = np.unique(dataset.user_codes)
    if len(there) <= users:
        return np.arange(len(dataset))
    drawn = np.random.default_rng(seed).choice(there, users, replace=False)
    return np.flatnonzero(np.isin(dataset.user_codes, drawn))


def rehearsal(sections: Sections, folder: Path, users: int | None) -> Sections:
    """The same, small: one epoch, few users with the items that they touched, texts hashed."""
    said = dict(sections)
    if users is not None:
        dataset = Config.of({"data": said.get("data", {})}, folder).dataset()
        part = dataset.take(fewer_users(dataset, users))
        said["data"] = as_files(part, folder, all_items=False)
    text = said.get("text", {}).get("use")
    if said.get("text", {}).get("tuning", "frozen") != "frozen":
        said["text"] |= {"fresh": 4, "max_tokens": 8, "frozen_epochs": 0}  # what learns is rehearsed with the language model that learns
    elif text != "NoText" and (text is not None or said["data"].get("columns", {}).get("text") or said["data"].get("use")):
        said["text"] = {"use": "HashedText"}
    said["training"] = {**said.get("training", {}), "epochs": 1, "refit": False}
    return said


def _type(dataset: Dataset, name: str, kind: str) -> str:
    separator = dataset.separators.get(name)
    return f"{kind}:{separator}" if separator and kind == "categories" else kind
