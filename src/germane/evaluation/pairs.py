"""Single rows judged: the probability of a click against its label, or of its conversion against what came, a rating against the given one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..batches import QueryBatch
from ..metrics import auc, auc_interval, bootstrap_interval, ece, log_loss, normalised_entropy
from ..models import Model
from .cases import Cases

__all__ = ["OF_ROWS", "SAID", "asked", "judge_pairs", "pair_figures", "pair_metrics"]

BATCH = 1024
TINY = 1e-12
MANY = 5_000
"""From so many rows on, the interval of a mean is taken from its standard error."""

SAID = {"click": ("probability", "label"), "rating": ("rating", "value"), "conversion": ("conversion", "converted")}
"""What each head says of a row, and the truth: columns of ``judge_pairs``."""
OF_ROWS = ("log_loss", "squared_error", "conversion_log_loss")
"""What a single row costs, by head: columns of ``judge_pairs`` too. The first that is told decides between runs."""
OF_CLICKS = ("auc", "log_loss", "normalised_entropy", "ece")

Figure = dict[str, float]


def pair_metrics(head: str) -> tuple[str, ...]:
    """What a head is judged by; the first is its figure where nothing else is asked."""
    of_conversions = tuple(f"conversion_{name}" for name in OF_CLICKS)
    return {"click": OF_CLICKS, "rating": ("rmse", "mae"), "conversion": of_conversions}.get(head, ())


def asked(model: Model, cases: Cases) -> Iterator[tuple[QueryBatch, Tensor]]:
    """Every case, some at a time: its query, and its own item [B, 1]. The model learns nothing meanwhile."""
    if isinstance(model, torch.nn.Module):
        model.eval()
    for begin in range(0, len(cases.rows), BATCH):
        part = slice(begin, begin + BATCH)
        batch = cases.table.rows_of(cases.rows[part], model.length)
        queries = replace(
            batch.queries,
            moment=batch.queries.moment if cases.moments is None else cases.moments[part],
            words=batch.queries.words if cases.words is None else cases.words[part],
        )
        yield queries, batch.items[:, None]


def judge_pairs(model: Model, cases: Cases) -> pl.DataFrame:
    """One row a case: user, item, ``label`` and ``probability``, ``value`` and ``rating``, ``converted`` and ``conversion``; those of heads that the
    model has not are missing; ``log_loss``, ``squared_error`` and ``conversion_log_loss`` of the single row.

    Each case is asked for its own item alone. Cost: that of scoring one item a case.
    """
    said: dict[str, list[NDArray[np.float64]]] = {name: [] for name, _ in SAID.values()}
    with torch.inference_mode():
        for queries, items in asked(model, cases):
            for head, (name, _) in SAID.items():
                if head in model.objective.heads:
                    said[name].append(model.predict(queries.to(model.device), items.to(model.device), head)[:, 0].cpu().double().numpy())
    rows = torch.from_numpy(cases.rows)
    columns = {name: np.concatenate(found) for name, found in said.items() if found}
    frame = pl.DataFrame({"row": cases.rows, "user": cases.table.users[cases.rows], "item": cases.table.dataset.item_codes[cases.rows]})
    told = {"label": cases.table.labels, "value": cases.table.values, "converted": cases.table.converted}
    truth = {name: column[rows].double().numpy() for name, column in told.items()}
    given = pl.DataFrame({**truth, **columns}).fill_nan(None)
    missing = [pl.lit(None, pl.Float64).alias(name) for name in said if name not in columns]
    both = pl.concat([frame, given], how="horizontal").with_columns(missing)
    return both.with_columns(
        log_loss=_surprise(*SAID["click"]),
        squared_error=(pl.col("rating") - pl.col("value")) ** 2,
        conversion_log_loss=_surprise(*SAID["conversion"]),
    )


def _surprise(said: str, truth: str) -> pl.Expr:
    p, label = pl.col(said).clip(TINY, 1 - TINY), pl.col(truth)
    return -(label * p.log() + (1 - label) * (1 - p).log())


def pair_figures(frame: pl.DataFrame, seed: int = 0, *, intervals: bool = True) -> dict[str, Figure]:
    """Figures over rows, each with a 95 % interval. Where only one class is there, what cannot be told is left out."""
    out: dict[str, Figure] = {}
    for head, before in (("click", ""), ("conversion", "conversion_")):
        said, truth = SAID[head]
        rows = frame.drop_nulls([truth, said])
        if rows.height:
            figures = _of_chances(rows[said].to_numpy(), rows[truth].to_numpy(), rows[f"{before}log_loss"].to_numpy(), seed, intervals)
            out |= {f"{before}{name}": figure for name, figure in figures.items()}
    ratings = frame.drop_nulls(["value", "rating"])
    if ratings.height:
        squared = ratings["squared_error"].to_numpy()
        low, high = _interval(squared, seed) if intervals else (np.nan, np.nan)
        out["rmse"] = {"value": float(np.sqrt(squared.mean())), "low": max(low, 0.0) ** 0.5, "high": high**0.5}
        low, high = _interval(np.sqrt(squared), seed) if intervals else (np.nan, np.nan)
        out["mae"] = {"value": float(np.sqrt(squared).mean()), "low": low, "high": high}
    return out


def _of_chances(p: NDArray[np.float64], labels: NDArray[np.float64], surprise: NDArray[np.float64], seed: int, intervals: bool) -> dict[str, Figure]:
    """``surprise``: the log loss of each row."""
    nothing = (np.nan, np.nan)
    of_mean = log_loss(np.full(len(labels), labels.mean()), labels)
    low, high = _interval(surprise, seed) if intervals else nothing
    out = {"log_loss": {"value": log_loss(p, labels), "low": low, "high": high}}
    if 0 < labels.mean() < 1:
        out["auc"] = {"value": auc(p, labels), **_ends(_of_auc(p, labels) if intervals else nothing)}
        out["normalised_entropy"] = {"value": normalised_entropy(p, labels), "low": low / of_mean, "high": high / of_mean}
    out["ece"] = {"value": ece(p, labels), **_ends(_redrawn(lambda i: ece(p[i], labels[i]), len(p), seed) if intervals else nothing)}
    return out


def _of_auc(p: NDArray[np.float64], labels: NDArray[np.float64]) -> tuple[float, float]:
    """A class with a single row tells nothing of how much its rows differ: anything may be so."""
    low, high = auc_interval(p, labels)
    return (0.0, 1.0) if np.isnan(low) else (low, high)


def _ends(interval: tuple[float, float]) -> Figure:
    return {"low": interval[0], "high": interval[1]}


def _interval(values: NDArray[np.float64], seed: int) -> tuple[float, float]:
    if len(values) <= MANY:
        return bootstrap_interval(values, seed=seed)
    reach = 1.96 * float(values.std(ddof=1)) / len(values) ** 0.5
    return float(values.mean()) - reach, float(values.mean()) + reach


def _redrawn(figure: Callable[[NDArray[np.int64]], float], n: int, seed: int, draws: int = 200) -> tuple[float, float]:
    """Percentile bootstrap of a figure that is no mean."""
    rng = np.random.default_rng(seed)
    low, high = np.quantile([figure(rng.integers(0, n, n)) for _ in range(draws)], [0.025, 0.975])
    return float(low), float(high)
