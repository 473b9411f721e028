"""Ten million events read, split and batched: at most 4 GB and 120 s.

    python benchmarks/scale_data.py            # some 2 minutes on two cores
    python benchmarks/scale_data.py --quick    # a rehearsal with 200,000 events

Events are generated into a CSV by a process of its own (not timed): users and items drawn by power laws, epoch seconds, two context columns. The
measured process then reads the CSV by its config, divides it by time and by leave-last-out, and goes once through every training batch. Its peak
memory counts, libraries included.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from _claims import Wanted
from _harness import Benchmark
from _plans import Plan, Row, measured

FULL, REHEARSAL = 10_000_000, 200_000
LENGTH, SIZE = 50, 256
CONFIG = """
[data]
events = "events.csv"
[data.columns]
time = "time"
context = ["device", "weather"]
"""


def generate(folder: Path, events: int, seed: int) -> None:
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


def measure(seed: int, folder: Path, quick: bool) -> list[Row]:
    subprocess.run([sys.executable, __file__, "--generate", str(folder), str(REHEARSAL if quick else FULL), str(seed)], check=True)
    begin = time.perf_counter()
    seconds: dict[str, float] = {}

    def lap(name: str) -> None:
        nonlocal begin
        seconds[name] = time.perf_counter() - begin
        begin = time.perf_counter()

    import numpy as np

    from germane.batches import EventTable, Timelines, event_frame, profiles
    from germane.data import ByTime, Dataset, LeaveLastOut, check_no_leak
    from germane.features import Categories, FeatureSet, Time
    from germane.jobs.memory import peak_mb

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
    targets = sum(int((batch.targets >= 0).sum()) for batch in Timelines(table, LENGTH, SIZE).draw(np.random.default_rng(seed)))
    lap("batch")
    figures = {"events": len(dataset), "targets": targets, **{f"seconds to {name}": value for name, value in seconds.items()}}
    return [measured("read, split, batch", {**figures, "seconds": sum(seconds.values()), "MB": peak_mb()})]


BENCHMARK = Benchmark(
    __file__,
    "Ten million events, read, split and batched",
    plans=[Plan("ten million events", measure=measure, seeds=(0,))],
    metrics=("events", "seconds to read", "seconds to split", "seconds to check", "seconds to batch", "seconds", "MB"),
    wanted=[
        Wanted("seconds in all", "ten million events", "seconds", most=120),
        Wanted("MB at the peak", "ten million events", "MB", most=4096),
    ],
)

if __name__ == "__main__":
    if sys.argv[1:2] == ["--generate"]:
        generate(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
    else:
        BENCHMARK.main()
