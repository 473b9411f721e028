"""Chooses the demo's options on validation: as many trials for every rival as for the model, whose best is run once more where it ended learning.

    python benchmarks/demo_tuning.py               # some 30 minutes on two cores; goes on where it was stopped
    python benchmarks/demo_tuning.py --quick       # one trial each, one epoch: shows that it runs, writes nothing

The test part is never looked at. The first trial of each model is its defaults, the others are drawn from the grid below. The demo then trains on
training and validation events together, for the number of epochs that was best here. Results, one by one as they come:
benchmarks/results/demo_tuning.json. src/germane/jobs/demo.py holds the choice; a test compares the two.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np

RESULT = Path(__file__).parent / "results" / "demo_tuning.json"
TRIALS = 9
EPOCHS = {"by-time": 14, "leave-last-out": 20}
"""At most, in a trial: the demo has to end within eight minutes."""
LONGER = {"by-time": 20, "leave-last-out": 36}
"""The best trial of a protocol, where it was best in its last epoch, is trained again for up to so many. No trial of its own: same options."""
GRID: dict[str, dict[str, list[Any]]] = {
    "PopularLately": {"days": [30, 3, 5, 7, 10, 14, 21, 60, 90]},
    "ItemNeighbours": {"neighbours": [200, 20, 50, 100], "shrink": [10.0, 0.0, 3.0, 30.0], "fade": [0.95, 0.5, 0.6, 0.7, 0.8, 0.9]},
    "ContextTransformer": {
        "width": [64, 96],
        "blocks": [2, 1],
        "heads": [2, 1, 4],
        "dropout": [0.2, 0.1, 0.3],
        "identity_dropout": [0.1, 0.0],
        "context_dropout": [0.1, 0.3],
        "learning_rate": [2e-3, 1e-3, 4e-3],
    },
}
"""The first value of each option is its default. ``learning_rate`` is an option of ``[training]``."""


def trials(name: str) -> list[dict[str, Any]]:
    """``TRIALS`` different settings, the defaults first."""
    grid = GRID[name]
    every = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    drawn = np.random.default_rng(0).permutation(np.arange(1, len(every)))[: TRIALS - 1]
    return [every[0], *(every[int(place)] for place in drawn)]


def run(protocol: str, name: str, options: dict[str, Any], quick: bool, longer: bool = False) -> dict[str, Any]:
    import torch

    from germane.config import Config
    from germane.jobs.demo import AS_TUNED, SPLITS
    from germane.jobs.train import fit, judge

    torch.set_num_threads(1)
    options = dict(options)
    epochs = 1 if quick else (LONGER if longer else EPOCHS)[protocol]
    training: dict[str, Any] = {"epochs": epochs, "patience": epochs, "threads": 1}
    if "learning_rate" in options:
        training["learning_rate"] = options.pop("learning_rate")
    sections = {"data": {"use": "MovieLens100K"}, "split": dict(SPLITS[protocol]), "model": {"use": name, **options}, "training": training}
    if name == "ContextTransformer":
        sections["model"] = {"use": name, **AS_TUNED, **options}
    config = Config.of(sections, Path())
    dataset = config.dataset()
    split = config.split.divide(dataset)
    recommender = config.recommender(dataset)
    began = time.perf_counter()
    told = fit(recommender, dataset, split, config.training, evaluation=config.evaluation)
    value = judge(recommender, dataset, split, config.evaluation, part="validation").value()
    return {
        "protocol": protocol,
        "model": name,
        "options": {"use": name, **options} | {key: training[key] for key in ("learning_rate",) if key in training},
        "validation_ndcg@10": value,
        "epochs": told["epochs"],
        "curve": [round(epoch["validation"], 5) for epoch in told["curve"]],
        "seconds": round(time.perf_counter() - began, 1),
    }


def choices(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The best trial of each model and protocol; of equal ones the first."""
    best: dict[str, dict[str, Any]] = {}
    for row in rows:
        place = best.setdefault(row["protocol"], {})
        if row["model"] not in place or row["validation_ndcg@10"] > place[row["model"]]["validation_ndcg@10"]:
            place[row["model"]] = {key: row[key] for key in ("options", "epochs", "validation_ndcg@10")}
    return best


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--workers", type=int, default=2)
    said = arguments.parse_args()
    rows: list[dict[str, Any]] = json.loads(RESULT.read_text())["trials"] if RESULT.exists() and not said.quick else []
    planned = [(protocol, name, options) for protocol in EPOCHS for name in GRID for options in trials(name)[: 1 if said.quick else TRIALS]]
    order = {_key(*plan): place for place, plan in enumerate(planned)}
    done = {_key(row["protocol"], row["model"], row["options"]) for row in rows}
    with ProcessPoolExecutor(said.workers) as pool:
        waiting = [pool.submit(run, *plan, said.quick) for plan in planned if _key(*plan) not in done]
        for future in as_completed(waiting):
            try:
                row = future.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
            rows = sorted([*rows, row], key=lambda r: order.get(_key(r["protocol"], r["model"], r["options"]), len(order)))
            keep(rows, row, said.quick)
    for protocol, best in choices(rows).items():
        found = best["ContextTransformer"]
        went_on = any(row["protocol"] == protocol and len(row["curve"]) > EPOCHS[protocol] for row in rows)
        if not said.quick and not went_on and found["epochs"] == EPOCHS[protocol]:
            options = {key: value for key, value in found["options"].items() if key != "use"}
            row = run(protocol, "ContextTransformer", options, False, longer=True)
            rows.append(row)
            keep(rows, row, False)


def keep(rows: list[dict[str, Any]], row: dict[str, Any], quick: bool) -> None:
    print(f"{row['protocol']:<16}{row['model']:<20}{row['validation_ndcg@10']:.4f}  {row['epochs']:>3} epochs  {row['options']}", flush=True)
    if not quick:
        RESULT.write_text(json.dumps({"trials_each": TRIALS, "grid": GRID, "choice": choices(rows), "trials": rows}, indent=1) + "\n")


def _key(protocol: str, name: str, options: dict[str, Any]) -> str:
    return json.dumps([protocol, name, {key: value for key, value in options.items() if key != "use"}], sort_keys=True)


if __name__ == "__main__":
    main()
