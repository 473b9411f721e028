"""Lists of a few fixed users as training goes on: a figure says how good, a list says what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
import torch

from ..evaluation import Cases, EvaluationOptions
from ..evaluation.protocol import left_out
from ..metrics.ranking import rank_of
from ..models import Model

__all__ = ["Sample", "as_table", "names_of", "some_of", "samples_of"]

LENGTH = 10
LAST = 5
SHOWN = 60
"""Letters of a name."""


@dataclass(frozen=True)
class Sample:
    """What one user would be shown at a held-out event."""

    user: str
    last: tuple[str, ...]
    """What it took before, the newest last."""
    took: str
    """What it took then."""
    rank: int | None
    """Place of that in the whole catalogue, from 1; None: lists leave it out, since the user had taken it before."""
    shown: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def some_of(cases: Cases, count: int) -> Cases:
    """The first held-out event that was taken of each of ``count`` users, evenly spaced: always the same ones."""
    taken = cases.only(cases.table.positive[cases.rows])
    users, first = np.unique(taken.table.users[taken.rows], return_index=True)
    places = np.unique(np.linspace(0, len(users) - 1, min(count, len(users))).astype(int)) if len(users) else np.zeros(0, dtype=int)
    mask = np.zeros(len(taken.rows), dtype=bool)
    mask[first[places]] = True
    return taken.only(mask)


def samples_of(model: Model, cases: Cases, options: EvaluationOptions) -> list[Sample]:
    """One for each case, with the model as it stands."""
    if not len(cases.rows):
        return []
    table = cases.table
    names = names_of(table.dataset.items, [name for name in table.dataset.columns.text if name in table.dataset.items.columns])
    if isinstance(model, torch.nn.Module):
        model.eval()
    queries = table.queries(cases.rows, model.length)
    with torch.inference_mode():
        scores = model.score(queries.to(model.device)).cpu().double().numpy().copy()  # [cases, items]
    query, seen = left_out(table, cases.rows, options)
    scores[query, seen] = -np.inf
    targets = table.dataset.item_codes[cases.rows]
    ranks = rank_of(scores, targets)
    ids, found = table.dataset.users["id"], []
    begin, end = table.stretch(cases.rows)
    for place, row in enumerate(cases.rows):
        best = np.argsort(-scores[place], kind="stable")[:LENGTH]
        before = table.dataset.item_codes[table.rows[max(begin[place], end[place] - LAST) : end[place]]]
        rank = int(ranks[place]) if np.isfinite(scores[place, targets[place]]) else None
        shown = tuple(names[item] for item in best if np.isfinite(scores[place, item]))
        found.append(Sample(str(ids[int(table.users[row])]), tuple(names[item] for item in before), names[targets[place]], rank, shown))
    return found


def names_of(items: pl.DataFrame, texts: Sequence[str]) -> list[str]:
    """What each item is called: the first text that it has, cut where it is long, else its id.

    >>> names_of(pl.DataFrame({"id": ["i1", "i2"], "title": ["Rain Man", None]}), ["title"])
    ['Rain Man', 'i2']
    """
    ids = items["id"].to_list()
    if not texts:
        return [str(name) for name in ids]
    titles = [", ".join(map(str, title)) if isinstance(title, list) else title for title in items[texts[0]].to_list()]
    said = [" ".join(str(title).split()) if title else "" for title in titles]
    return [(title if len(title) <= SHOWN else f"{title[: SHOWN - 1]}…") or str(name) for title, name in zip(said, ids, strict=True)]


def as_table(samples: Sequence[Sample]) -> tuple[list[str], list[list[Any]]]:
    """Columns, and a row a sample."""
    rows = [[one.user, " · ".join(one.last), one.took, one.rank, " · ".join(one.shown)] for one in samples]
    return ["user", "last", "took", "rank", "shown"], rows
