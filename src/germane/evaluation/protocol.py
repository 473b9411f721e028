"""The protocol: every held-out event is a case, the whole catalogue is ranked, figures are means per user and then over users."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..batches import EventTable
from ..features import Moments
from ..metrics import bootstrap_interval, paired_test
from ..metrics import ranking as measures
from ..models import Model
from .options import SEGMENTS, EvaluationOptions

__all__ = ["Cases", "judge_cases", "paired", "rows_of", "validation_figure"]

BATCH = 128


@dataclass(frozen=True)
class Cases:
    """Held-out events and what is needed to judge a model on them."""

    table: EventTable
    """Its visible events are what histories may hold."""
    rows: NDArray[np.int64]
    """Rows of the event table."""
    known_items: NDArray[np.bool_]
    """[items] has training events."""
    training_counts: NDArray[np.int64]
    """[users] training events of each."""
    item_counts: NDArray[np.int64]
    """[items] training events of each."""
    moments: Moments | None = None
    """[rows, ...] asked instead of the events' own; see ``variants``."""
    words: Tensor | None = None
    """[rows, W] asked instead of the events' own."""


def judge_cases(model: Model, cases: Cases, options: EvaluationOptions) -> pl.DataFrame:
    """One row a case: user, item, rank of the target (from 1), each figure. Ties count against the target.

    Cases whose target is excluded because its user took it before are left out. Cost: cases × catalogue.
    """
    length = getattr(model.options, "length", 200)
    out: list[dict[str, Any]] = []
    taken = np.zeros(cases.table.dataset.n_items)
    if isinstance(model, torch.nn.Module):
        model.eval()
    with torch.inference_mode():
        for begin in range(0, len(cases.rows), BATCH):
            rows = cases.rows[begin : begin + BATCH]
            queries = cases.table.queries(rows, length)
            part = slice(begin, begin + BATCH)
            if cases.moments is not None:
                queries = replace(queries, moment=cases.moments[part])
            if cases.words is not None:
                queries = replace(queries, words=cases.words[part])
            scores = model.score(queries).double().numpy().copy()
            targets = cases.table.dataset.item_codes[rows]
            lost = np.zeros(len(rows), dtype=bool)
            if options.exclude_seen is not False:
                query, seen = cases.table.seen(rows)
                if options.exclude_seen is not True and "kind" in cases.table.dataset.events.columns:
                    chosen = cases.table.dataset.events["kind"].is_in(options.exclude_seen).fill_null(False).to_numpy()
                    query, seen = _of_kinds(cases.table, rows, chosen)
                lost[query[seen == targets[query]]] = True
                scores[query, seen] = -np.inf
            ranks = measures.rank_of(scores, targets)
            top = np.argpartition(-scores, min(10, scores.shape[1] - 1), axis=1)[:, :10]
            taken += np.bincount(top.ravel(), minlength=len(taken))
            for row, rank, target, gone in zip(rows, ranks, targets, lost, strict=True):
                if not gone:
                    out.append({"row": int(row), "user": int(cases.table.users[row]), "item": int(target), "rank": int(rank)})
    frame = pl.DataFrame(out, schema={"row": pl.Int64, "user": pl.Int64, "item": pl.Int64, "rank": pl.Int64})
    rank = frame["rank"].to_numpy().astype(float)
    figures = []
    for k in options.k:
        within = rank <= k
        figures += [
            pl.Series(f"ndcg@{k}", np.where(within, 1 / np.log2(rank + 1), 0.0)),
            pl.Series(f"recall@{k}", within.astype(float)),
            pl.Series(f"hit@{k}", within.astype(float)),
            pl.Series(f"mrr@{k}", np.where(within, 1 / rank, 0.0)),
            pl.Series(f"map@{k}", np.where(within, 1 / rank, 0.0)),
        ]
    shown = taken / max(taken.sum(), 1)
    share = (cases.item_counts + 1) / (cases.item_counts.sum() + len(cases.item_counts))
    frame = frame.with_columns(figures)
    # Coverage and novelty belong to the lists as a whole: the same value on every row, so that they survive means.
    return frame.with_columns(
        pl.lit(float((taken > 0).mean())).alias("coverage@10"), pl.lit(float(-(shown * np.log2(share)).sum())).alias("novelty@10")
    )


def validation_figure(frame: pl.DataFrame, metric: str) -> float:
    """Mean per user, then over users."""
    return float(frame.group_by("user").agg(pl.col(metric).mean())[metric].mean() or 0.0)  # type: ignore[arg-type]


def rows_of(
    frame: pl.DataFrame,
    cases: Cases,
    *,
    name: str,
    protocol: str,
    split: str,
    variant: str = "as trained",
    seed: int = 0,
    p_against: dict[str, float] | None = None,
    segments: Sequence[str] = SEGMENTS,
) -> list[dict[str, Any]]:
    """Rows of ``metrics.json``: each segment that has cases, each figure with a 95 % bootstrap interval over users."""
    known = cases.known_items[frame["item"].to_numpy()]
    counts = cases.training_counts[frame["user"].to_numpy()]
    masks = {
        "all": np.ones(len(known), dtype=bool),
        "known items": known,
        "new items": ~known,
        "new users": counts == 0,
        "sparse users": (counts > 0) & (counts < 10),
    }
    rows = []
    for segment in segments:
        part = frame.filter(pl.Series(masks[segment], dtype=pl.Boolean))
        if not part.height:
            continue
        users = part.group_by("user").agg(pl.exclude("row", "item", "rank").mean()).sort("user")
        figures = {}
        for metric in users.columns[1:]:
            values = users[metric].to_numpy()
            low, high = bootstrap_interval(values, seed=seed)
            figures[metric] = {"value": float(values.mean()), "low": float(low), "high": float(high)}
        rows.append(
            {
                "name": name,
                "protocol": protocol,
                "split": split,
                "segment": segment,
                "variant": variant,
                "n": users.height,
                "seed": seed,
                "metrics": figures,
            }
            | {"p_against": p_against if p_against and segment == "all" else {}}
        )
    return rows


def paired(ours: pl.DataFrame, theirs: pl.DataFrame, metric: str = "ndcg@10", seed: int = 0) -> float:
    """p of a paired permutation test over the users that both were judged on."""
    mine = ours.group_by("user").agg(pl.col(metric).mean().alias("a"))
    other = theirs.group_by("user").agg(pl.col(metric).mean().alias("b"))
    both = mine.join(other, on="user").sort("user")
    return float(paired_test(both["a"].to_numpy(), both["b"].to_numpy(), seed=seed))


def _of_kinds(table: EventTable, rows: NDArray[np.int64], chosen: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    begin, end = table.stretch(rows)
    counts = end - begin
    query = np.repeat(np.arange(len(rows)), counts)
    place = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(begin, counts)
    events = table.rows[place]
    return query[chosen[events]], table.dataset.item_codes[events[chosen[events]]]
