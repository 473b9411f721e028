"""What `germane check` foresees against what `germane train` then takes: time and peak memory within a factor of two.

    python benchmarks/estimate.py        # writes benchmarks/results/estimate.json

Generated shops of several sizes, with texts and context. Each command is a process of its own. Early stopping is put off (`patience`), since the
estimate is for all epochs. Times of a few seconds vary with whatever else the machine does, so the smallest shop takes some ten seconds.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

RESULT = Path(__file__).parent / "results" / "estimate.json"
FACTOR = 2.0
SHOPS = {
    "small": ({"users": 400, "items": 300, "events": 20_000}, ["training.epochs=12"]),
    "wide": ({"users": 1500, "items": 5000, "events": 60_000}, ["training.epochs=4", "training.loss=sampled_softmax"]),
    "large": ({"users": 6000, "items": 4000, "events": 250_000}, ["training.epochs=2"]),
    "counted": ({"users": 6000, "items": 4000, "events": 250_000}, ["model.use=ItemNeighbours"]),
}
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


def measure(size: dict[str, int], sets: list[str]) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        generate(folder, **size)
        changes = [word for change in sets for word in ("--set", change)]
        environment = {**os.environ, "GERMANE_CACHE": str(folder / "cache")}

        def germane(*words: str) -> str:
            return subprocess.run(
                [sys.executable, "-c", "from germane.cli import main; main()", *words, *changes],
                cwd=folder,
                env=environment,
                check=True,
                capture_output=True,
                text=True,
            ).stdout

        foreseen = json.loads(germane("check", "shop.toml", "--json"))["estimate"]
        germane("train", "shop.toml", "-o", "run", "--quiet")
        about = json.loads((folder / "run" / "about.json").read_text())
    took = {"seconds": about["seconds"]["total"], "peak_mb": about["peak_mb"]}
    said = {"seconds": foreseen["seconds"]["total"], "peak_mb": foreseen["peak_mb"]}
    return {"size": size, "sets": sets, "foreseen": said, "taken": took, "ratio": {key: said[key] / took[key] for key in said}}


def main() -> None:
    rows = {}
    for name, (size, sets) in SHOPS.items():
        rows[name] = measure(size, sets)
        print(name, json.dumps(rows[name]["ratio"]))
    within = all(1 / FACTOR <= ratio <= FACTOR for row in rows.values() for ratio in row["ratio"].values())  # type: ignore[attr-defined]
    machine = {"cpus": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps({"claim": f"within a factor of {FACTOR:g}", "holds": within, "machine": machine, "rows": rows}, indent=1) + "\n")
    if not within:
        sys.exit("An estimate is off by more than the stated factor.")


if __name__ == "__main__":
    main()
