"""The figure that chooses epochs."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

import polars as pl
import torch

from ..errors import ConfigError, nearest
from ..models import Model
from .cases import Cases
from .options import EvaluationOptions
from .pairs import judge_pairs, pair_figures, pair_metrics
from .protocol import judge_cases

__all__ = ["Validation", "check_metric"]

OF_LISTS = ("ndcg", "recall", "hit", "mrr", "map")
SMALLER = tuple(n for head in ("click", "conversion", "rating") for n in pair_metrics(head) if not n.endswith("auc"))
"""Of these less is better."""


class Validation:
    """Calling it judges the model as it stands. ``metric``: ``ndcg@10`` and its like, or a figure of a head that learns; absent, the first of it
    that the validation rows can tell: without labels of both classes there is no ``auc``.

    >>> from germane.models import Popular
    >>> Validation(Popular(), None, EvaluationOptions(), "auc")
    Traceback (most recent call last):
    ...
    germane.errors.ConfigError: [training] metric = 'auc': choose ndcg@K, recall@K, hit@K, mrr@K, map@K with K from 1 to 1000.
    """

    def __init__(self, model: Model, cases: Cases | None, options: EvaluationOptions, metric: str | None = None) -> None:
        heads = model.objective.heads
        of_heads = [name for head in heads for name in pair_metrics(head)]
        usual = ["ndcg@10"] if "ranking" in heads else [pair_metrics(head)[0] for head in heads]
        told = [name for name in (*usual, "ndcg@10", *of_heads) if cases is not None and _told(name, cases)]
        self.metric = metric or (told or usual)[0]
        self.model, self.cases, self.options = model, cases, options
        self.smaller_is_better = self.metric in SMALLER
        self.of_lists = _of_lists(self.metric)
        check_metric(self.metric, heads)
        if metric is not None and told and not _told(metric, cases):
            raise ConfigError(f"[training] metric = {metric!r} cannot be told: {_lack(metric)} in validation; choose {told[0]}, or say none.")

    def __call__(self) -> float:
        assert self.cases is not None
        if self.of_lists is None:
            return pair_figures(judge_pairs(self.model, self.cases), intervals=False).get(self.metric, {"value": math.nan})["value"]
        frame = judge_cases(self.model, self.cases, self.options.model_copy(update={"k": (int(self.of_lists[2]),)}))
        return float(frame.group_by("user", maintain_order=True).agg(pl.col(self.metric).mean())[self.metric].mean() or 0.0)  # type: ignore[arg-type]


def check_metric(metric: str, heads: Iterable[str]) -> None:
    """Refuse what is neither a figure of lists nor one of these heads."""
    of_heads = [name for head in heads for name in pair_metrics(head)]
    if _of_lists(metric) is None and metric not in of_heads:
        known = ", ".join(f"{name}@K" for name in OF_LISTS) + " with K from 1 to 1000" + "".join(f", {name}" for name in of_heads)
        raise ConfigError(f"[training] metric = {metric!r}: choose {known}.{nearest(metric, [*OF_LISTS, *of_heads])}")


def _of_lists(metric: str) -> re.Match[str] | None:
    return re.fullmatch(rf"({'|'.join(OF_LISTS)})@([1-9]\d{{0,2}}|1000)", metric)


def _told(metric: str, cases: Cases | None) -> bool:
    """Whether the held-out rows have what the figure needs."""
    assert cases is not None
    rows = torch.from_numpy(cases.rows)
    if metric in pair_metrics("rating"):
        return not bool(cases.table.values[rows].isnan().all())
    for head, told in (("click", cases.table.labels), ("conversion", cases.table.converted)):
        if metric in pair_metrics(head):
            found = len(told[rows][~told[rows].isnan()].unique())
            return found == 2 or (found == 1 and metric.endswith(("log_loss", "ece")))
    return bool(cases.table.positive[cases.rows].any())


def _lack(metric: str) -> str:
    if metric in pair_metrics("rating"):
        return "no event has a value"
    if metric in pair_metrics("conversion"):
        return "clicks whose window has passed are not of both outcomes"
    return "labels are not of both classes" if metric in pair_metrics("click") else "nothing was taken"
