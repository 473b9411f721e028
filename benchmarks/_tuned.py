"""A model of ours tuned on validation as peers are: as many trials, drawn from its grid by the same rule, the test part never looked at."""

from __future__ import annotations

import copy
import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from _peers import REHEARSED, TRIALS, Sections, drawn

Grid = Mapping[str, Sequence[Any]]
"""Option, such as ``model.width`` -> the values that trials are drawn from; the first trial is the first of each."""


SASREC: Grid = {
    "model.width": [64, 128],
    "model.blocks": [2, 1],
    "model.heads": [1, 2],
    "model.dropout": [0.2, 0.4],
    "training.learning_rate": [1e-3, 3e-4, 3e-3],
}
MACHINE: Grid = {"model.width": [32, 16, 64], "model.table_l2": [0.0, 0.001, 0.01], "training.learning_rate": [1e-3, 3e-3, 1e-2]}
"""Of a factorisation machine on clicks."""
NEIGHBOURS: Grid = {"model.neighbours": [200, 50, 500], "model.shrink": [10.0, 3.0, 30.0, 100.0], "model.fade": [0.95, 0.7, 0.5]}


def as_sasrec(sections: Callable[[int, Path], Sections], **training: Any) -> Callable[[int, Path], Sections]:
    """Our own SASRec in the place of the model: order and identity, and nothing else is read."""
    return instead(sections, {"use": "SASRec", "length": 50}, **training)


def instead(sections: Callable[[int, Path], Sections], model: Mapping[str, Any], **training: Any) -> Callable[[int, Path], Sections]:
    """Another model of ours, which reads no texts, in the place of the recipe's, on the same data and test part."""

    def rival(seed: int, folder: Path) -> Sections:
        said = sections(seed, folder)
        split = {name: value for name, value in said["split"].items() if name != "validation"}  # trials need one
        evaluation = {**said["evaluation"], "baselines": [], "variants": []}
        learnt = {**said["training"], **training, "refit": True}
        return {**said, "split": split, "text": {"use": "NoText"}, "model": dict(model), "training": learnt, "evaluation": evaluation}

    return rival


def grid_hash(grid: Grid) -> str:
    return hashlib.sha256(json.dumps([grid, TRIALS], sort_keys=True).encode()).hexdigest()[:16]


def with_options(sections: Sections, options: Mapping[str, Any]) -> Sections:
    said = copy.deepcopy(sections)
    for name, value in options.items():
        section, _, key = name.partition(".")
        said.setdefault(section, {})[key] = value
    return said


def best_of(sections: Sections, grid: Grid, folder: Path, quick: bool) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The options that validation likes best, and all trials. Each is trained on the training part alone, whatever the config says of ``refit``."""
    from germane.config import Config
    from germane.jobs.train import fit, judge

    trials: list[dict[str, Any]] = []
    metric = "ndcg@10"
    for options in drawn({name: list(values) for name, values in grid.items()}, REHEARSED if quick else TRIALS):
        began = time.perf_counter()
        said = with_options(sections, options)
        if quick:
            said["training"] = {**said["training"], "epochs": 1}
        config = Config.of(said, folder)
        dataset = config.dataset()
        split = config.split.divide(dataset)
        recommender = config.recommender(dataset)
        training = config.training.model_copy(update={"refit": False})
        fit(recommender, dataset, split, training, evaluation=config.evaluation)
        judged = judge(recommender, dataset, split, config.evaluation, part="validation")
        metric = next(name for name in ("ndcg@10", "auc", "rmse") if name in judged.rows[0]["metrics"])
        trials.append({"options": options, metric: judged.value(metric), "seconds": round(time.perf_counter() - began, 1)})
        print(f"  {options}: {metric} {trials[-1][metric]:.4f} on validation", flush=True)
    best = min if metric == "rmse" else max
    return best(trials, key=lambda trial: trial[metric])["options"], trials
