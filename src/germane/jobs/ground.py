"""On what a run is judged: which data, divided how, what lists leave out; and data that it was not trained on, read as its own were."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from .. import data
from ..component import find, section
from ..data import Columns, Dataset, Splitter, sources
from ..data.sources.base import Source
from ..errors import AbilityError, ConfigError, DataError, nearest
from ..evaluation import EvaluationOptions
from ..recommender import Recommender

__all__ = ["as_trained", "coded_as", "ground_of"]


def ground_of(dataset: Dataset, split: Splitter, options: EvaluationOptions) -> dict[str, Any]:
    """What figures hang on beside the model: two runs' are set against each other where this is the same."""
    said = options.model_dump(mode="json", include={"k", "exclude_seen", "history"})
    return {"data": dataset.fingerprint, "split": section(split, data), **said}


def as_trained(said: Mapping[str, Any], schema: Dataset) -> dict[str, Any]:
    """A ``[data]`` section that says the types, separators, forms of times and time zone of ``schema``, where it says none of its own.

    A column may be written otherwise there; of another type it may not be, since what was learnt of its values would stand for others.
    """
    own: Mapping[str, Any] = find(said["use"], sources, Source, "[data]")().columns if isinstance(said.get("use"), str) else {}
    names = _names(Columns.model_validate({**own, **(said.get("columns") or {})}))
    types = {str(name): str(kind) for name, kind in (said.get("types") or {}).items()}
    wrong = [
        f"[data.types] {name} = {types[name]!r}: the run was trained on it as {kind!r}; say that, or leave it out."
        for name, kind in schema.types.items()
        if name in types and types[name].partition(":")[0] != kind
    ]
    if wrong:
        raise ConfigError(wrong)
    learnt = {name: _written(name, kind, schema) for name, kind in {**dict.fromkeys(schema.forms, "time"), **schema.types}.items() if name in names}
    zone = {} if schema.timezone is None else {"timezone": schema.timezone}
    return {**zone, **said, "types": {**learnt, **types}}


def coded_as(recommender: Recommender, dataset: Dataset) -> Dataset:
    """The same events, users and items under the codes that the recommender has for them; users that it does not know come after all others.

    Refused: other items than its own, and columns that it does not find or that are of another type than those it was trained on.
    """
    schema = recommender.schema
    if schema is None:
        raise AbilityError("this recommender is not trained: call germane.train, or germane.load a run.")
    _check_columns(dataset, schema)
    items, users = recommender.catalogue.items["id"], recommender.people.users["id"]
    if dataset.items["id"].equals(items) and dataset.users["id"].equals(users):
        return dataset
    codes = _codes(dataset.items["id"], items)
    strange = np.unique(dataset.item_codes[codes[dataset.item_codes] < 0])
    if len(strange):
        shown = ", ".join(repr(dataset.items["id"][int(code)]) for code in strange[:3])
        raise DataError(
            f"{len(strange):,} items of these data are not in the run's catalogue, such as {shown}: it is judged on events with its own items; "
            "leave the others out, or train on a catalogue that holds them."
        )
    everyone = pl.concat([users, dataset.users["id"].filter(pl.Series(_codes(dataset.users["id"], users) < 0))])
    place = _codes(dataset.users["id"], everyone)
    events = dataset.events.with_columns(
        user=pl.Series(place[dataset.user_codes], dtype=pl.Int32), item=pl.Series(codes[dataset.item_codes], dtype=pl.Int32)
    )
    return replace(dataset, events=events, items=_rows(items, dataset.items), users=_rows(everyone, dataset.users))


def _check_columns(dataset: Dataset, schema: Dataset) -> None:
    wrong = []
    if schema.has_times and not dataset.has_times:
        wrong.append("these data tell no times, which the run was trained on: name their column, time = … in [data.columns].")
    for name in (*schema.columns.moment, *schema.columns.user_side):
        meaning = "user_side" if name in schema.columns.user_side else "context" if name in schema.columns.context else "place"
        there, kind = dataset.columns.user_side if meaning == "user_side" else dataset.columns.moment, schema.types.get(name)
        if name not in there:
            wrong.append(f"these data name no {name!r}, which the run reads: say it in [data.columns] {meaning}.{nearest(name, there)}")
        elif dataset.types.get(name) != kind:
            wrong.append(
                f"column {name!r} was read as {dataset.types.get(name)!r} here and as {kind!r} when the run was trained: "
                f'say {name} = "{kind}" in [data.types] (types={{…}} of Dataset.from_frames).'
            )
    if wrong:
        raise DataError("\n".join(wrong))


def _codes(ids: pl.Series, known: pl.Series) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The place of each id among those that are known; -1: it is not."""
    places = {name: place for place, name in enumerate(known.to_list())}
    return np.array([places.get(name, -1) for name in ids.to_list()], dtype=np.int64)


def _rows(ids: pl.Series, table: pl.DataFrame) -> pl.DataFrame:
    """A row of the table for each id, empty where it has none."""
    return ids.to_frame("id").join(table, on="id", how="left", maintain_order="left")


def _names(columns: Columns) -> set[str]:
    """Every column of the events, items or users that has a meaning."""
    found = {columns.in_events("user"), columns.in_events("item"), columns.in_items(), columns.in_users()}
    for said in columns.model_dump(exclude={"user", "item"}).values():
        found |= {said} if isinstance(said, str) else set(said or ())
    return found


def _written(name: str, kind: str, schema: Dataset) -> str:
    """As ``[data.types]`` says it."""
    more = schema.separators.get(name) if kind == "categories" else schema.forms.get(name) if kind == "time" else None
    return f"{kind}:{more}" if more else kind
