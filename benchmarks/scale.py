"""Scale: generated catalogues of 1,000 to 1,000,000 items. Time and memory of a training step with shared negatives, and of a query.

    python benchmarks/scale.py            # some 20 minutes on two cores
    python benchmarks/scale.py --quick    # a rehearsal with the two smallest

``ContextTransformer`` of width 64 on identity alone and without counts of pairs, 1,024 negatives shared by a batch of 64 users; 3,200 users with 12
events each, items drawn by a power law. Milliseconds of a step are the median after the first ten. A query is ``recommend`` for one known user over
the whole catalogue, ten items, median of 50. Each size is a process of its own, so MB is its own peak, libraries and tables included; "MB but for the
table" is without what every number that belongs to an item takes in training: its weight, its gradient and the optimiser's two means.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from _claims import Wanted
from _harness import Benchmark
from _plans import Plan, Row, measured

SIZES = (1_000, 10_000, 100_000, 1_000_000)
USERS, EACH, QUERIES, WARM = 3_200, 12, 50, 10
COPIES = 4
"""Of a number that learns: weight, gradient, two means."""


def catalogue(items: int) -> Callable[[int, Path, bool], list[Row]]:
    def measure(seed: int, folder: Path, quick: bool) -> list[Row]:
        import numpy as np
        import polars as pl

        from germane.config import Config
        from germane.jobs.memory import peak_mb
        from germane.jobs.train import fit
        from germane.types import Query

        users = USERS // 10 if quick else USERS
        rng = np.random.default_rng(seed)
        n = users * EACH
        events = {
            "user": np.repeat(np.arange(users), EACH),
            "item": (items * rng.random(n) ** 3).astype(np.int64),
            "time": 1_700_000_000 + np.arange(n),
        }
        pl.DataFrame(events).write_parquet(folder / "events.parquet")
        pl.DataFrame({"item": np.arange(items)}).write_parquet(folder / "items.parquet")
        config = Config.of(
            {
                "seed": seed,
                "data": {"events": "events.parquet", "items": "items.parquet", "columns": {"time": "time"}},
                "split": {"use": "LeaveLastOut", "validation": 0},
                "text": {"use": "NoText"},
                "model": {"use": "ContextTransformer", "width": 64, "blocks": 1, "length": EACH, "co_occurrence": 0.0},
                "training": {"loss": "sampled_softmax", "negatives": 1024, "batch": 64, "epochs": 1},
            },
            folder,
        )
        dataset = config.dataset()
        recommender = config.recommender(dataset)
        stamps: list[float] = []
        fit(
            recommender,
            dataset,
            config.split.divide(dataset),
            config.training,
            evaluation=config.evaluation,
            progress=lambda *_: stamps.append(time.perf_counter()),
        )
        recommender.remember(dataset)
        took = []
        for user in rng.integers(0, users, QUERIES + 1):
            begin = time.perf_counter()
            recommender.recommend_many([Query(user=str(user))], 10)
            took.append(time.perf_counter() - begin)
        mine = sum(weight.numel() for weight in recommender.model.parameters() if weight.shape[:1] and weight.shape[0] >= items)
        table = COPIES * mine * 4 / 1e6
        steps = np.diff(stamps[:-1])[min(WARM, len(stamps) // 2) :]
        figures = {"ms a step": float(np.median(steps)) * 1000, "ms a query": float(np.median(took[1:])) * 1000, "MB": peak_mb()}
        return [measured("ContextTransformer", {**figures, "MB but for the table": figures["MB"] - table})]

    return measure


def plot(summary: list[Row], axes: Any) -> None:
    sizes = {f"{size:,} items": size for size in SIZES}
    there = sorted((sizes[row["plan"]], row["figures"]) for row in summary)
    for metric, colour in (("ms a step", "#2f6f9f"), ("ms a query", "#c8553d"), ("MB", "#8a8a8a")):
        axes.plot([size for size, _ in there], [said[metric]["mean"] for _, said in there], marker="o", color=colour, label=metric)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("items")
    axes.legend(frameon=False)


BENCHMARK = Benchmark(
    __file__,
    "Scale: up to a million items",
    plans=[Plan(f"{size:,} items", measure=catalogue(size), rehearsed=size <= 10_000) for size in SIZES],
    metrics=("ms a step", "ms a query", "MB", "MB but for the table"),
    wanted=[
        Wanted("a million items, MB at the peak", f"{SIZES[-1]:,} items", "MB", most=4096),
        Wanted("a million items, ms a query", f"{SIZES[-1]:,} items", "ms a query", most=1000),
        Wanted("a hundred thousand items, ms a query", f"{SIZES[-2]:,} items", "ms a query", most=100),
        *(
            Wanted(f"{more:,} items, {figure} over that of {less:,}", f"{more:,} items", figure, over={"plan": f"{less:,} items"}, most=more / less)
            for less, more in pairwise(SIZES)
            for figure in ("ms a step", "ms a query")
        ),
        *(
            Wanted(
                f"{size:,} items, MB but for the table over that of {SIZES[0]:,}",
                f"{size:,} items",
                "MB but for the table",
                over={"plan": f"{SIZES[0]:,} items"},
                most=1.5,
            )
            for size in SIZES[1:]
        ),
    ],
    plot=plot,
    caption="Milliseconds of a training step and of a query, and MB at the peak, against the size of the catalogue.",
)

if __name__ == "__main__":
    BENCHMARK.main()
