"""Rows of ``metrics.json``: figures by segment, and whether two runs differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..metrics import bootstrap_interval, paired_test
from .cases import Cases
from .options import EvaluationOptions
from .pairs import pair_figures

__all__ = ["how_listed", "masks_of", "paired", "rows_of"]


def rows_of(
    lists: pl.DataFrame, pairs: pl.DataFrame, cases: Cases, segments: Sequence[str], shelf: pl.DataFrame | None = None, **about: Any
) -> list[dict[str, Any]]:
    """Each segment that has cases, each figure with a 95 % interval.

    Of ``lists`` (``judge_cases``), and of the ``shelf``, where lists hold new items alone: means per user, then over users, ``n`` users. Of ``pairs``
    (``judge_pairs``): over rows, as published figures are; ``n`` rows where no lists were judged. ``about``: what else each row says, such as
    ``name`` and ``seed``.
    """
    of_lists, of_pairs = (masks_of(frame, cases) if frame.height else {} for frame in (lists, pairs))
    rows = []
    for segment in segments:
        figures: dict[str, Any] = {}
        n = 0
        if segment in of_pairs and of_pairs[segment].any():
            part = pairs.filter(pl.Series(of_pairs[segment]))
            figures, n = pair_figures(part, about.get("seed", 0)), part.height
        judged = shelf if segment == "new among new" else lists.filter(pl.Series(of_lists[segment])) if segment in of_lists else None
        if judged is not None and judged.height:
            users = judged.group_by("user").agg(pl.exclude("row", "item", "rank").mean()).sort("user")
            figures, n = {**{name: _figure(users[name], about.get("seed", 0)) for name in users.columns[1:]}, **figures}, users.height
        if figures:
            rows.append({**about, "segment": segment, "n": n, "metrics": figures, "p_against": {}})
    return rows


def how_listed(lists: pl.DataFrame, cases: Cases, options: EvaluationOptions) -> str:
    """What a table of ``lists`` has to say beside its figures: what they leave out, and what decides where scores or times are equal; where they
    leave out all that was asked, that. Nothing where nothing was asked."""
    if not lists.height:
        asked = int(cases.table.positive[cases.rows].sum()) if options.k else 0
        why = "their users took these items before; exclude_seen = false judges them"
        return f"all {asked:,} held-out events were left out of lists: {why}" if asked else ""
    dataset = cases.table.dataset
    if options.exclude_seen is False or not options.exclude_seen:
        seen = "what a user took before stays in them"
    elif options.exclude_seen is True:
        seen = "what a user took before is left out"
    else:
        seen = f"what a user took before is left out where its kind is {' or '.join(options.exclude_seen)}"
    if not dataset.has_times:
        order = "without times, the order of the file is the order"
    elif tied := _tied(cases):
        order = f"{tied:.1%} of these events share their time with another of their user, and the order of the file decides there"
    else:
        order = "none of these events shares its time with another of its user"
    return f"lists of the whole catalogue: {seen}; equal scores count against the model; {order}"


def _tied(cases: Cases) -> float:
    """The share of cases at the very time of another event of their user."""
    dataset = cases.table.dataset
    order, place = dataset.timelines.order, dataset.timelines.place
    same = (np.diff(dataset.times[order]) == 0) & (np.diff(dataset.user_codes[order]) == 0)
    tied = np.concatenate([[False], same]) | np.concatenate([same, [False]])
    return float(tied[place[cases.rows]].mean()) if len(cases.rows) else 0.0


def _figure(values: pl.Series, seed: int) -> dict[str, float]:
    low, high = bootstrap_interval(values.to_numpy(), seed=seed)
    return {"value": float(values.mean()), "low": float(low), "high": float(high)}  # type: ignore[arg-type]


def masks_of(frame: pl.DataFrame, cases: Cases) -> Mapping[str, NDArray[np.bool_]]:
    """[cases] bool for each segment. ``new pairs`` is there where some users are asked for items that they took before."""
    users, items = frame["user"].to_numpy(), frame["item"].to_numpy()
    known, counts = cases.known_items[items], cases.training_counts[users]
    new_pair = ~cases.taken(users, items)
    masks = {
        "all": np.ones(len(known), dtype=bool),
        "known items": known,
        "new items": ~known,
        "new users": counts == 0,
        "sparse users": (counts > 0) & (counts < 10),
    }
    return masks if new_pair.all() else {**masks, "new pairs": new_pair}


def paired(ours: pl.DataFrame, theirs: pl.DataFrame, metric: str = "ndcg@10", seed: int = 0) -> float:
    """p of a paired permutation test over the users that both were judged on."""
    mine = ours.group_by("user").agg(pl.col(metric).mean().alias("a"))
    other = theirs.group_by("user").agg(pl.col(metric).mean().alias("b"))
    both = mine.join(other, on="user").drop_nulls().sort("user")
    return float(paired_test(both["a"].to_numpy(), both["b"].to_numpy(), seed=seed))
