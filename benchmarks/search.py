"""`germane search` from the widest space, told nothing but data and split, against the recipe that was tuned by hand: 30 minutes on two cores.

    GERMANE_DATA=... python benchmarks/search.py    # some 4 hours
    python benchmarks/search.py --quick             # a rehearsal: three trials, few users

"searched" keeps [data], [split], [text] and [evaluation] of the recipe, and whether it trains again on validation events. [model] and [training]
begin at their defaults; every option that says where it is searched is, and those of `WIDEST` beside them. The winner is then trained as
`germane train` does, outside the 30 minutes, and judged on the test part once. "recipe" is configs/NAME.toml.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from _claims import Wanted
from _harness import Benchmark
from _plans import FEW_USERS, Plan, Row, recipe

SECONDS = 1800.0
WIDEST: dict[str, list[Any]] = {
    "model.heads": [1, 2, 4],
    "model.gated": [False, True],
    "model.user_identity": [False, True],
    "training.loss": ["softmax", "sampled_softmax"],
    "training.negatives": [512, 1024, 2048],
    "training.schedule": ["constant", "cosine"],
    "training.epochs": [10, 16, 24],
}
"""Beside what says by itself where it is searched."""
SETS = {"movielens": "MovieLens100K", "lastfm": "LastFM"}


def alone(name: str) -> Callable[[int, Path], dict[str, Any]]:
    """The recipe without the rivals that it is judged beside."""

    def sections(seed: int, folder: Path) -> dict[str, Any]:
        said = recipe(name)(seed, folder)
        return {**said, "evaluation": {**said["evaluation"], "baselines": [], "variants": []}}

    return sections


def searched(name: str) -> Callable[[int, Path, bool], list[Row]]:
    def measure(seed: int, folder: Path, quick: bool) -> list[Row]:
        from _tables import rehearsal

        from germane.config import Config
        from germane.jobs.run import train_run
        from germane.jobs.search import search

        said = alone(name)(seed, folder)
        said["training"] = {"refit": said["training"].get("refit", False)}
        said.pop("model")
        if quick:
            said = rehearsal(said, folder, FEW_USERS)
        said["search"] = {"space": {key: values for key, values in WIDEST.items() if not quick or key != "training.epochs"}}
        found = search(Config.of(said, folder), folder / "search", trials=3 if quick else 1000, seconds=SECONDS)
        counts = [one.state for one in found.attempts]
        print(f"{name}, seed {seed}: {len(counts)} trials, {counts.count('pruned')} pruned, validation {found.best.validation}", flush=True)
        _, judged = train_run(found.config, folder / "run")
        return judged.rows

    return measure


BENCHMARK = Benchmark(
    __file__,
    "Search from the widest space",
    plans=[
        plan
        for name, source in SETS.items()
        for plan in (Plan(f"{name} recipe", alone(name), needs=source), Plan(f"{name} searched", measure=searched(name), needs=source))
    ],
    metrics=("ndcg@10", "recall@10"),
    wanted=[
        Wanted(f"NDCG@10 of what was found over that of the recipe, {name}", f"{name} searched", over={"plan": f"{name} recipe"}, least=0.97)
        for name in SETS
    ],
)

if __name__ == "__main__":
    BENCHMARK.main()
