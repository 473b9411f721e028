"""Ten million events read, split and batched: at most 4 GB and 120 s.

    python benchmarks/scale_data.py                    # writes benchmarks/results/scale_data.json
    python benchmarks/scale_data.py --events 1000000   # a rehearsal: prints, writes nothing

Events are generated into a CSV (not timed): users and items drawn by power laws, epoch seconds, two context columns. A process of its own then
reads the CSV by its config, divides it by time and by leave-last-out, and goes once through every training batch. Its peak memory counts,
libraries included.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RESULT = Path(__file__).parent / "results" / "scale_data.json"
FULL = 10_000_000
LIMITS = {"seconds": 120, "peak_mb": 4096}
CONFIG = """
[data]
events = "events.csv"
[data.columns]
time = "time"
context = ["device", "weather"]
"""


def generate(folder: Path, events: int, seed: int = 0) -> None:
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(seed)
    n_users, n_items = max(events // 25, 10), max(events // 100, 10)
    (folder / "config.toml").write_text(CONFIG)
    pl.DataFrame(
        {
            "user": pl.Series((n_users * rng.random(events) ** 2).astype(np.int64)),
            "item": pl.Series((n_items * rng.random(events) ** 3).astype(np.int64)),
            "time": pl.Series(rng.integers(1_700_000_000, 1_760_000_000, events)),
            "device": pl.Series(rng.integers(0, 3, events)).replace_strict([0, 1, 2], ["phone", "tv", "web"]),
            "weather": pl.Series(rng.integers(0, 4, events)).replace_strict([0, 1, 2, 3], ["rain", "sun", "snow", None]),
        }
    ).write_csv(folder / "events.csv")


def measure(folder: Path, length: int = 50, size: int = 256) -> dict[str, object]:
    begin = time.perf_counter()
    import numpy as np

    from germane.batches import EventTable, Timelines, event_frame, profiles
    from germane.data import ByTime, Dataset, LeaveLastOut, check_no_leak
    from germane.features import Categories, FeatureSet, Time

    seconds: dict[str, float] = {}

    def lap(name: str) -> None:
        nonlocal begin
        seconds[name] = round(time.perf_counter() - begin, 2)
        begin = time.perf_counter()

    lap("import")
    dataset = Dataset.read(folder / "config.toml")
    lap("read")
    splits = [ByTime().divide(dataset), LeaveLastOut().divide(dataset)]
    lap("split")
    for split in splits:
        check_no_leak(dataset, split)
    lap("check")
    features = FeatureSet.fit([Categories(), Time()], event_frame(dataset, splits[0].train), {**dataset.types, "time": "time"}, dataset.separators)
    nobody = FeatureSet([])
    table = EventTable(dataset, features, profile=profiles(nobody, dataset.users), visible=splits[0].train)
    batches = targets = 0
    for batch in Timelines(table, length, size).draw(np.random.default_rng(0)):
        batches += 1
        targets += int((batch.targets >= 0).sum())
    lap("batch")
    return {
        "events": len(dataset),
        "users": dataset.n_users,
        "items": dataset.n_items,
        "parts": {split.name: [len(split.train), len(split.validation), len(split.test)] for split in splits},
        "batches": batches,
        "targets": targets,
        "seconds": {**seconds, "total": round(sum(seconds.values()), 2)},
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="Read, split and batch many events.")
    parser.add_argument("--events", type=int, default=FULL)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(given.measure)))
        return 0
    with tempfile.TemporaryDirectory() as work:
        generate(Path(work), given.events)
        csv_mb = round((Path(work) / "events.csv").stat().st_size / 2**20)
        done = subprocess.run([sys.executable, __file__, "--measure", work], stdout=subprocess.PIPE, text=True, check=True)
    measured = json.loads(done.stdout)
    seconds, peak = measured["seconds"]["total"], measured["peak_mb"]
    result = {
        "claim": f"{given.events:,} events read, split and batched in at most {LIMITS['peak_mb']} MB and {LIMITS['seconds']} s",
        "command": "python benchmarks/scale_data.py",
        "holds": seconds <= LIMITS["seconds"] and peak <= LIMITS["peak_mb"],
        "csv_mb": csv_mb,
        **measured,
        "machine": {"cpus": len(os.sched_getaffinity(0)), "python": platform.python_version(), "arch": platform.machine()},
    }
    text = json.dumps(result, indent=2) + "\n"
    print(text, end="")
    if given.events == FULL:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(text)
    return 0 if result["holds"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
