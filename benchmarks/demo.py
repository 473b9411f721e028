"""`make demo` once everything is installed: at most 8 minutes on two cores and 3 GB.

    python benchmarks/demo.py            # some 6 minutes on two cores
    python benchmarks/demo.py --quick    # a rehearsal: an epoch for each model

`germane demo --no-serve` as a process of its own, MovieLens 100K and the language model being in the cache: four trainings, their baselines and
variants, judged and saved.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

from _claims import Wanted
from _harness import Benchmark
from _plans import Plan, Row, measured


def measure(seed: int, folder: Path, quick: bool) -> list[Row]:
    sets = [f"seed={seed}", *(["training.epochs=1"] if quick else [])]
    command = [sys.executable, "-c", "from germane.cli import main; main()", "demo", "--no-serve", "--json", "-o", str(folder / "run")]
    began = time.perf_counter()
    told = subprocess.run([*command, *(word for change in sets for word in ("--set", change))], check=True, stdout=subprocess.PIPE, text=True)
    took = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    rows = len(json.loads(told.stdout)["rows"])
    return [measured("demo", {"minutes": took / 60, "MB": peak, "rows": rows})]


BENCHMARK = Benchmark(
    __file__,
    "The demo, from one end to the other",
    plans=[Plan("demo", measure=measure, seeds=(0,))],
    metrics=("minutes", "MB", "rows"),
    wanted=[Wanted("minutes, installed", "demo", "minutes", most=8), Wanted("MB at the peak", "demo", "MB", most=3000)],
)

if __name__ == "__main__":
    BENCHMARK.main()
