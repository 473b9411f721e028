"""What `germane check` foresees against what `germane train` then takes: time and peak memory within a factor of two.

    python benchmarks/estimate.py            # some ten minutes on two cores
    python benchmarks/estimate.py --quick    # a rehearsal: the smallest shop, few epochs

Generated shops of several sizes, with texts and context. Each command is a process of its own. Early stopping is put off (`patience`), since the
estimate is for all epochs. Times of a few seconds vary with whatever else the machine does, so the smallest shop takes some ten seconds. Texts are
hashed, but in the last two: there MiniLM reads them, once for all ("read"), or learns too after an epoch of waiting ("tuned": LoRA). No vector is
cached before.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from _claims import Wanted
from _harness import Benchmark
from _plans import Plan, Row, measured

FACTOR = 2.0
READ = "text.use=PretrainedText"
SHOPS: dict[str, tuple[dict[str, int], list[str]]] = {
    "small": ({"users": 400, "items": 300, "events": 20_000}, ["training.epochs=12"]),
    "wide": ({"users": 1500, "items": 5000, "events": 60_000}, ["training.epochs=4", "training.loss=sampled_softmax"]),
    "large": ({"users": 6000, "items": 4000, "events": 250_000}, ["training.epochs=2"]),
    "counted": ({"users": 6000, "items": 4000, "events": 250_000}, ["model.use=ItemNeighbours"]),
    "read": ({"users": 400, "items": 3000, "events": 20_000}, ["training.epochs=12", READ]),
    "tuned": ({"users": 400, "items": 1000, "events": 20_000}, ["training.epochs=3", "text.tuning=lora", "text.frozen_epochs=1", READ]),
}
REHEARSAL = {"users": 200, "items": 100, "events": 4_000}
CONFIG = """
[data]
events = "events.csv"
items = "items.csv"
[data.columns]
user = "user"
item = "item"
time = "time"
context = ["daytime", "weather", "device"]
text = ["title"]
[split]
use = "ByTime"
[text]
use = "HashedText"
[training]
patience = 100
"""


def generate(folder: Path, users: int, items: int, events: int, seed: int = 0) -> None:
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(seed)
    (folder / "shop.toml").write_text(CONFIG)
    columns = {"daytime": ["morning", "noon", "evening"], "weather": ["rain", "sun", "snow", None], "device": ["tv", "phone"]}
    frame = {
        "user": (users * rng.random(events) ** 2).astype(np.int64),
        "item": (items * rng.random(events) ** 3).astype(np.int64),
        "time": np.sort(rng.integers(1_700_000_000, 1_720_000_000, events)),
    }
    drawn = {name: [values[i] for i in rng.integers(0, len(values), events)] for name, values in columns.items()}
    pl.DataFrame({**frame, **drawn}).write_csv(folder / "events.csv")
    words = rng.choice(["red", "blue", "quiet", "loud", "short", "long", "lamp", "chair", "film"], (items, 3))
    pl.DataFrame({"item": range(items), "title": [f"{' '.join(row)} {n}" for n, row in enumerate(words)]}).write_csv(folder / "items.csv")


def shop(name: str) -> Any:
    size, sets = SHOPS[name]

    def measure(seed: int, folder: Path, quick: bool) -> list[Row]:
        from germane.data.fetch import cache_folder

        generate(folder, **(REHEARSAL if quick else size), seed=seed)
        changes = [word for change in [*sets, *(["training.epochs=2"] if quick else [])] for word in ("--set", change)]
        weights, cache = cache_folder() / "weights", folder / "cache"
        cache.mkdir()
        if weights.is_dir():
            (cache / "weights").symlink_to(weights)
        environment = {**os.environ, "GERMANE_CACHE": str(cache)}

        def germane(*words: str) -> str:
            command = [sys.executable, "-c", "from germane.cli import main; main()", *words, *changes]
            return subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True).stdout

        foreseen = json.loads(germane("check", "shop.toml", "--json"))["estimate"]
        germane("train", "shop.toml", "-o", "run", "--quiet")
        about = json.loads((folder / "run" / "about.json").read_text())
        took = {"seconds": about["seconds"]["total"], "MB": about["peak_mb"]}
        said = {"seconds": foreseen["seconds"]["total"], "MB": foreseen["peak_mb"]}
        figures = {f"{unit} {what}": values[unit] for unit in took for what, values in (("foreseen", said), ("taken", took))}
        return [measured(name, {**figures, **{f"{unit} ratio": said[unit] / took[unit] for unit in took}})]

    return measure


BENCHMARK = Benchmark(
    __file__,
    "What a training will take, foreseen",
    plans=[Plan(name, measure=shop(name), seeds=(0,), rehearsed=READ not in SHOPS[name][1]) for name in SHOPS],
    metrics=("seconds foreseen", "seconds taken", "seconds ratio", "MB foreseen", "MB taken", "MB ratio"),
    wanted=[
        Wanted(f"{name}: foreseen over taken, {unit}", name, f"{unit} ratio", least=1 / FACTOR, most=FACTOR)
        for name in SHOPS
        for unit in ("seconds", "MB")
    ],
)

if __name__ == "__main__":
    BENCHMARK.main()
