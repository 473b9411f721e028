"""What the runs would show, side by side: who moved up, who moved down, what is new."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ...bundle import load
from ...recommender import Recommender
from ...types import Query
from ..figures import number, smaller_is_better
from ..recommend import QueryLines, answer_file
from ..samples import names_of
from .runs import ReadRun

__all__ = ["Asked", "chosen_users", "lists_of", "moved"]

LENGTH = 10
FAR = 100
"""Places in which what was really taken is looked for."""


@dataclass(frozen=True)
class Asked:
    """A user whose last event is asked for again, as if it had not happened yet."""

    user: str
    why: str


def chosen_users(before: ReadRun, after: ReadRun, metric: str) -> list[Asked]:
    """Of the users that both were judged on: who gains most, who loses most, and one in the middle."""
    one, two = (run.users.filter(segment="all").select("user", metric) for run in (before, after))
    both = one.join(two, on="user", suffix=" after").drop_nulls().sort("user")
    if not both.height:
        return []
    sign = -1 if smaller_is_better(metric) else 1
    gaps = sign * (both[f"{metric} after"] - both[metric]).to_numpy()
    order = np.argsort(-gaps, kind="stable")
    found: dict[str, Asked] = {}
    for place, why in ((0, "gains most"), (len(order) - 1, "loses most"), (len(order) // 2, "stands in the middle")):
        row = int(order[place])
        if (why == "gains most" and gaps[row] <= 0) or (why == "loses most" and gaps[row] >= 0):
            continue
        figures = f"{metric} {number(both[metric][row])} with {before.name}, {number(both[f'{metric} after'][row])} with {after.name}"
        user = str(both["user"][row])
        found.setdefault(user, Asked(user, f"{why} of all users: {figures}"))
    return list(found.values())


def lists_of(runs: Sequence[ReadRun], asked: Sequence[Asked], queries: QueryLines | None, trust: str | Path | None = None) -> list[dict[str, Any]]:
    """For each user, or for each query of a file, what each run shows. The runs are loaded one after the other."""
    answers = []
    for run in runs:
        recommender = load(run.folder, trust=trust)
        answers.append(_of_queries(recommender, queries) if queries is not None else [_of_user(recommender, one) for one in asked])
    found = []
    for parts in zip(*answers, strict=True):
        first = [item["item"] for item in parts[0]["items"]]
        for place, part in enumerate(parts):
            others = [[item["item"] for item in other["items"]] for other in parts]
            for item in part["items"]:
                item["moved"] = moved(item["item"], item["position"], first) if place else None
                item["alone"] = place == 0 and all(item["item"] not in other for other in others[1:])
        head = {name: value for name, value in parts[0].items() if name not in ("items", "taken_place")}
        shown = [{"run": run.name, "taken_place": part.get("taken_place"), "items": part["items"]} for run, part in zip(runs, parts, strict=True)]
        found.append({**head, "runs": shown})
    return found


def moved(item: str, position: int, first: Sequence[str]) -> int | None:
    """Places up (positive) or down from the list of the first run; None: it did not stand there.

    >>> moved("b", 1, ["a", "b"]), moved("a", 2, ["a", "b"]), moved("c", 1, ["a", "b"])
    (1, -1, None)
    """
    return first.index(item) + 1 - position if item in first else None


def _of_user(recommender: Recommender, one: Asked) -> dict[str, Any]:
    events = recommender.histories.of(one.user)
    names = _names(recommender)
    head: dict[str, Any] = {"who": f"user {one.user}", "why": one.why, "last": [], "took": None}
    if not events:
        slate = recommender.recommend(Query(user=one.user), LENGTH, explore=False, explain=False)
        return {**head, "taken_place": None, "items": _items(slate.items, names)}
    *before, last = events
    query = Query(user=one.user, history=tuple(before), time=last.time, context=dict(last.context))
    slate = recommender.recommend(query, FAR, explore=False, explain=False)
    place = next((shown.position for shown in slate.items if shown.item == last.item), None)
    head |= {"last": [names.get(event.item, event.item) for event in before[-5:]], "took": names.get(last.item, last.item)}
    return {**head, "taken_place": place, "items": _items(slate.items[:LENGTH], names)}


def _of_queries(recommender: Recommender, queries: QueryLines) -> list[dict[str, Any]]:
    names = _names(recommender)
    slates = answer_file(recommender, queries, LENGTH, explore=False)
    head: dict[str, Any] = {"last": [], "took": None, "taken_place": None}
    return [
        {"who": f"query {number}", "why": line.decode().strip(), **head, "items": _items(slate.items[:LENGTH], names)}
        for number, ((_, line), slate) in enumerate(zip(queries.lines, slates, strict=True), 1)
    ]


def _names(recommender: Recommender) -> dict[str, str]:
    items: pl.DataFrame = recommender.catalogue.items
    texts = [name for name in recommender.columns.text if name in items.columns]
    return dict(zip(items["id"].cast(pl.String).to_list(), names_of(items, texts), strict=True))


def _items(items: Sequence[Any], names: dict[str, str]) -> list[dict[str, Any]]:
    return [{"item": shown.item, "name": names.get(shown.item, shown.item), "position": shown.position} for shown in items]
