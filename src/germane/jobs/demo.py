"""``germane demo``: MovieLens 100K by time and leave-last-out, beside honest baselines, in one table."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w

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
from .run import about_run, per_user
from .train import Judged, fit, judge

__all__ = ["demo"]

SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "by-time": {"days": 7.0, "training": {"epochs": 10, "patience": 3}},
    "leave-last-out": {"days": 30.0, "training": {"epochs": 15, "patience": 4}},
}
"""Days of recent popularity and length of training, for each protocol: set by hand to fit the time, not yet tuned on validation."""


def demo(run: str | Path = "runs/demo", *, text: Encoder | None = None, quiet: bool = False, say: Any = print) -> list[dict[str, Any]]:
    """Train, judge, print the table and save two runs. Returns the rows of the table. An earlier demo in the same place is replaced."""
    target = Path(run)
    if target.exists() and not (target / "about.json").exists():
        raise RunError(f"{target} exists and is no run: choose another folder with -o.")
    dataset = open_dataset(DataOptions(use="MovieLens100K"), Path())
    say(f"MovieLens 100K: {dataset}. Who asks and when; 68 % of its people rate within one day, so it carries little context.")
    rows: list[dict[str, Any]] = []
    saved: list[tuple[Recommender, Path, Judged, dict[str, Any]]] = []
    for splitter, folder in ((LeaveLastOut(), target / "leave-last-out"), (ByTime(), target)):
        recommender, judged, all_rows, about = _protocol(dataset, splitter, text or PretrainedText(), quiet, say)
        rows += all_rows
        saved.append((recommender, folder, judged, about))
    rows += _kept_out(text or PretrainedText(), quiet)
    say(table(rows))
    for recommender, folder, judged, about in reversed(saved):  # the outer folder first: saving replaces it whole
        own = rows if folder == target else [row for row in rows if row["protocol"] == "leave-last-out"]
        protocol = "by-time" if folder == target else "leave-last-out"
        save(recommender, folder, config=_config(recommender, protocol), metrics=own, per_user=per_user(dataset, judged), about=about, replace=True)
        say(f"Saved: {folder}")
    return rows


def _protocol(
    dataset: Dataset, splitter: Splitter, text: Encoder, quiet: bool, say: Any
) -> tuple[Recommender, Judged, list[dict[str, Any]], dict[str, Any]]:
    split = splitter.divide(dataset)
    settings = SETTINGS[split.name]
    training = TrainingOptions(**settings["training"])
    options = EvaluationOptions()
    rivals: dict[str, Judged] = {}
    rows: list[dict[str, Any]] = []
    for model in (Popular(), PopularLately(days=settings["days"]), ItemNeighbours()):
        rival = Recommender(model, features=())
        fit(rival, dataset, split, training)
        rivals[type(model).__name__] = judge(rival, dataset, split, options)
        rows += rivals[type(model).__name__].rows[:1]
    say(f"{split.name}: {split}")
    without, _, _ = _train(_model(context=False), dataset, split, text, training, quiet, features=())
    plain = judge(without, dataset, split, options, variant="without context")
    ours, facts, seconds = _train(_model(context=True), dataset, split, text, training, quiet)
    judged_from = time.perf_counter()
    judged = judge(ours, dataset, split, options)
    judging = time.perf_counter() - judged_from
    judged.rows[0]["p_against"] = {name: paired(judged.cases, theirs.cases) for name, theirs in rivals.items()}
    judged.rows[0]["p_against"]["without context"] = paired(judged.cases, plain.cases)
    shuffled = judge(ours, dataset, split, options, variant="context shuffled")
    ours.remember(dataset)
    say(f"{split.name}: trained in {seconds:.0f} s")
    about = about_run(dataset, facts, {"total": seconds + judging, **facts["seconds"], "evaluate": judging}, Path())
    return ours, judged, [*rows, plain.rows[0], *judged.rows, shuffled.rows[0]], about


def _kept_out(text: Encoder, quiet: bool) -> list[dict[str, Any]]:
    """Every tenth film out of training altogether: how the model places what nobody has touched."""
    from ..data.columns import Rules

    dataset = open_dataset(DataOptions(use="MovieLens100K", rules=Rules(hold_out_items=10)), Path())
    split = ByTime().divide(dataset)
    training = TrainingOptions(epochs=5, patience=5)
    recommender, _, _ = _train(_model(context=True), dataset, split, text, training, quiet)
    judged = judge(recommender, dataset, split, EvaluationOptions(), variant="films kept out")
    return [row for row in judged.rows if row["segment"] in ("new items", "known items")]


def _model(context: bool) -> Model:
    return ContextTransformer() if context else ContextTransformer(context=False, history_context=False)


def _train(
    model: Model, dataset: Dataset, split: Split, text: Encoder, training: TrainingOptions, quiet: bool, **parts: Any
) -> tuple[Recommender, dict[str, Any], float]:
    recommender = Recommender(model, text=text, **parts)
    started = time.perf_counter()
    with training_bar(quiet) as progress:
        facts = fit(recommender, dataset, split, training, progress=progress)
    return recommender, facts, time.perf_counter() - started


def _config(recommender: Recommender, protocol: str) -> str:
    """The TOML that ``germane train`` would have read, so that a demo's run can be judged and trained again like any other."""
    sections = {
        "seed": recommender.seed,
        "data": {"use": "MovieLens100K"},
        "split": {"use": "ByTime" if protocol == "by-time" else "LeaveLastOut"},
        "text": {"use": type(recommender.text).__name__, **recommender.text.settings()},
        "model": {"use": type(recommender.model).__name__, **recommender.model.settings()},
        "policy": {"use": type(recommender.policy).__name__, **recommender.policy.settings()},
        "training": SETTINGS[protocol]["training"],
    }
    return tomli_w.dumps(sections)


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as text: NDCG@10 with its interval, and p against the baselines."""
    lines = [f"{'protocol':<16}{'model':<20}{'variant':<18}{'segment':<14}{'users':>6}  {'NDCG@10 (95 %)':<24}p against"]
    for row in rows:
        figure = row["metrics"]["ndcg@10"]
        against = ", ".join(f"{name} {p:.4f}" for name, p in row["p_against"].items())
        shown = f"{figure['value']:.4f} ({figure['low']:.4f}–{figure['high']:.4f})"
        lines.append(f"{row['protocol']:<16}{row['name']:<20}{row['variant']:<18}{row['segment']:<14}{row['n']:>6}  {shown:<24}{against}")
    return "\n".join([*lines, "Seen films are left out of lists; where events are tied in time, the order of the file decides."])
