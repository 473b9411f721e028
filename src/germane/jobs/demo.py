"""``germane demo``: MovieLens 100K by time and leave-last-out, beside honest baselines, in one table."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from ..bundle import save
from ..data import ByTime, Dataset, LeaveLastOut, Split, Splitter
from ..data.options import DataOptions, open_dataset
from ..encoders import Encoder, PretrainedText
from ..errors import RunError
from ..evaluation import EvaluationOptions, paired
from ..models import ContextTransformer, ItemNeighbours, Model, Popular, PopularLately
from ..recommender import Recommender
from ..training import TrainingOptions
from .progress import training_bar
from .train import Judged, fit, judge

__all__ = ["demo"]

CHOSEN: Mapping[str, Mapping[str, Any]] = {
    "by-time": {"days": 7.0, "training": {"epochs": 10, "patience": 3}},
    "leave-last-out": {"days": 30.0, "training": {"epochs": 15, "patience": 4}},
}
"""Window of recent popularity and length of training, for each protocol."""


def demo(run: str | Path = "runs/demo", *, text: Encoder | None = None, quiet: bool = False, say: Any = print) -> list[dict[str, Any]]:
    """Train, judge, print the table and save two runs. Returns the rows of the table. An earlier demo in the same place is replaced."""
    target = Path(run)
    if target.exists() and not (target / "about.json").exists():
        raise RunError(f"{target} exists and is no run: choose another folder with -o.")
    dataset = open_dataset(DataOptions(use="MovieLens100K"), Path())
    say(f"MovieLens 100K: {dataset}. Who asks and when; 68 % of its people rate within one day, so it carries little context.")
    rows: list[dict[str, Any]] = []
    saved: list[tuple[Recommender, Path, Judged]] = []
    for splitter, folder in ((LeaveLastOut(), target / "leave-last-out"), (ByTime(), target)):
        recommender, judged, all_rows = _protocol(dataset, splitter, text or PretrainedText(), quiet, say)
        rows += all_rows
        saved.append((recommender, folder, judged))
    rows += _kept_out(text or PretrainedText(), quiet)
    say(table(rows))
    recommender, _, judged = saved[1]
    save(recommender, target, metrics=rows, per_user=_per_user(dataset, judged), replace=True)
    recommender, folder, judged = saved[0]
    save(recommender, folder, metrics=[r for r in rows if r["protocol"] == "leave-last-out"], per_user=_per_user(dataset, judged), replace=True)
    say(f"Saved: {target} and {folder}")
    return rows


def _protocol(dataset: Dataset, splitter: Splitter, text: Encoder, quiet: bool, say: Any) -> tuple[Recommender, Judged, list[dict[str, Any]]]:
    split = splitter.divide(dataset)
    chosen = CHOSEN[split.name]
    training = TrainingOptions(**chosen["training"])
    options = EvaluationOptions()
    rivals: dict[str, Judged] = {}
    rows: list[dict[str, Any]] = []
    for model in (Popular(), PopularLately(days=chosen["days"]), ItemNeighbours()):
        rival = Recommender(model, features=())
        fit(rival, dataset, split, training)
        rivals[type(model).__name__] = judge(rival, dataset, split, options)
        rows += rivals[type(model).__name__].rows[:1]
    say(f"{split.name}: {split}")
    without, _ = _train(_model(context=False), dataset, split, text, training, quiet, features=())
    plain = judge(without, dataset, split, options, variant="without context")
    ours, seconds = _train(_model(context=True), dataset, split, text, training, quiet)
    judged = judge(ours, dataset, split, options)
    judged.rows[0]["p_against"] = {name: paired(judged.cases, theirs.cases) for name, theirs in rivals.items()}
    judged.rows[0]["p_against"]["without context"] = paired(judged.cases, plain.cases)
    shuffled = judge(ours, dataset, split, options, variant="context shuffled", shuffle=0)
    ours.remember(dataset)
    say(f"{split.name}: trained in {seconds:.0f} s")
    return ours, judged, [*rows, plain.rows[0], *judged.rows, shuffled.rows[0]]


def _kept_out(text: Encoder, quiet: bool) -> list[dict[str, Any]]:
    """Every tenth film out of training altogether: how the model places what nobody has touched."""
    from ..data.columns import Rules

    dataset = open_dataset(DataOptions(use="MovieLens100K", rules=Rules(hold_out_items=10)), Path())
    split = ByTime().divide(dataset)
    training = TrainingOptions(epochs=5, patience=5)
    recommender, _ = _train(_model(context=True), dataset, split, text, training, quiet)
    judged = judge(recommender, dataset, split, EvaluationOptions(), variant="films kept out")
    return [row for row in judged.rows if row["segment"] in ("new items", "known items")]


def _model(context: bool) -> Model:
    return ContextTransformer() if context else ContextTransformer(context=False, history_context=False)


def _train(
    model: Model, dataset: Dataset, split: Split, text: Encoder, training: TrainingOptions, quiet: bool, **parts: Any
) -> tuple[Recommender, float]:
    recommender = Recommender(model, text=text, **parts)
    started = time.perf_counter()
    with training_bar(quiet) as progress:
        fit(recommender, dataset, split, training, progress=progress)
    return recommender, time.perf_counter() - started


def _per_user(dataset: Dataset, judged: Judged) -> pl.DataFrame:
    frame = judged.cases.group_by("user").agg(pl.exclude("row", "item", "rank").mean()).sort("user")
    return frame.with_columns(user=dataset.users["id"].gather(frame["user"]))


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as text: NDCG@10 with its interval, and p against the baselines."""
    lines = [f"{'protocol':<16}{'model':<20}{'variant':<18}{'segment':<14}{'users':>6}  {'NDCG@10 (95 %)':<24}p against"]
    for row in rows:
        figure = row["metrics"]["ndcg@10"]
        against = ", ".join(f"{name} {p:.4f}" for name, p in row["p_against"].items())
        shown = f"{figure['value']:.4f} ({figure['low']:.4f}–{figure['high']:.4f})"
        lines.append(f"{row['protocol']:<16}{row['name']:<20}{row['variant']:<18}{row['segment']:<14}{row['n']:>6}  {shown:<24}{against}")
    return "\n".join([*lines, "Seen films are left out of lists; where events are tied in time, the order of the file decides."])
