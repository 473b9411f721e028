"""Lists judged: every held-out event is a case, and the whole catalogue is ranked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from ..batches import EventTable
from ..metrics import ranking as measures
from ..models import Model
from .cases import Cases
from .options import EvaluationOptions

__all__ = ["judge_cases", "left_out"]

BATCH = 128


def judge_cases(
    model: Model,
    cases: Cases,
    options: EvaluationOptions,
    among: NDArray[np.bool_] | None = None,
    told: Callable[[int, int], object] = lambda done, of: None,
) -> pl.DataFrame:
    """One row a case: user, item, rank of the target (from 1), each figure. Ties count against the target.

    ``among`` [items]: lists hold these alone, and only cases whose target is one of them are judged. Cases whose target is excluded because its
    user took it before are left out. Cost: cases × catalogue. ``told`` hears how many cases of how many are done.
    """
    cases = cases.only(cases.table.positive[cases.rows])
    if among is not None:
        cases = cases.only(among[cases.table.dataset.item_codes[cases.rows]])
    out: list[NDArray[np.int64]] = []
    taken = np.zeros(cases.table.dataset.n_items)
    if isinstance(model, torch.nn.Module):
        model.eval()
    with torch.inference_mode():
        for begin in range(0, len(cases.rows), BATCH):
            rows = cases.rows[begin : begin + BATCH]
            queries = cases.table.queries(rows, model.length)
            part = slice(begin, begin + BATCH)
            if cases.moments is not None:
                queries = replace(queries, moment=cases.moments[part])
            if cases.words is not None:
                queries = replace(queries, words=cases.words[part])
            scores = model.score(queries.to(model.device)).cpu().double().numpy().copy()
            targets = cases.table.dataset.item_codes[rows]
            lost = np.zeros(len(rows), dtype=bool)
            query, seen = left_out(cases.table, rows, options)
            lost[query[seen == targets[query]]] = True
            scores[query, seen] = -np.inf
            if among is not None:
                scores[:, ~among] = -np.inf
            ranks = measures.rank_of(scores, targets)
            best = torch.from_numpy(scores).topk(min(10, scores.shape[1]), sorted=False)
            shown = best.indices[best.values > -torch.inf].numpy()  # where fewer are left, a list is shorter
            taken += np.bincount(shown, minlength=len(taken))
            out.append(np.stack([rows, cases.table.users[rows], targets, ranks], axis=1)[~lost])
            told(begin + len(rows), len(cases.rows))
    ranks_of = np.concatenate(out) if out else np.zeros((0, 4), dtype=np.int64)
    frame = pl.DataFrame(ranks_of, schema=dict.fromkeys(("row", "user", "item", "rank"), pl.Int64))
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
    places = taken / max(taken.sum(), 1)
    share = (cases.item_counts + 1) / (cases.item_counts.sum() + len(cases.item_counts))
    frame = frame.with_columns(figures)
    # Coverage and novelty belong to the lists as a whole: the same value on every row, so that they survive means.
    return frame.with_columns(
        pl.lit(float((taken > 0).mean())).alias("coverage@10"), pl.lit(float(-(places * np.log2(share)).sum())).alias("novelty@10")
    )


def left_out(table: EventTable, rows: NDArray[np.int64], options: EvaluationOptions) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(query number, item code) of all that lists do not show: what the query's user took before it."""
    kinds = options.exclude_seen
    if kinds is False or not kinds:
        nothing = np.zeros(0, dtype=np.int64)
        return nothing, nothing
    if kinds is True:
        return table.seen(rows)
    options.check_kinds("kind" in table.dataset.events.columns)
    chosen = table.dataset.events["kind"].is_in(kinds).fill_null(False).to_numpy()
    return _of_kinds(table, rows, chosen)


def _of_kinds(table: EventTable, rows: NDArray[np.int64], chosen: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    begin, end = table.stretch(rows)
    counts = end - begin
    query = np.repeat(np.arange(len(rows)), counts)
    place = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(begin, counts)
    events = table.rows[place]
    return query[chosen[events]], table.dataset.item_codes[events[chosen[events]]]
