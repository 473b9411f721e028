"""How far the counted models come on validation, as published and tuned a little: as many trials for each.

    python benchmarks/classics_tuning.py           # some 6 minutes on two cores; goes on where it was stopped
    python benchmarks/classics_tuning.py --quick   # one trial each: shows that it runs, writes nothing

The test part is never looked at. The first trial of each model is its defaults, the second the same with ``fade`` .9 (where it has one), the
others are drawn from the grid below. Results, one by one as they come: benchmarks/results/classics_tuning.json; docs/models.md quotes them.
"""

from __future__ import annotations

import argparse
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np

from germane import models
from germane.jobs.demo import SPLITS

RESULT = Path(__file__).parent / "results" / "classics_tuning.json"
TRIALS = 9
FADES = [1.0, 0.95, 0.9, 0.8, 0.7]
GRID: dict[str, dict[str, list[Any]]] = {
    "ItemNeighbours": {"neighbours": [50, 200], "shrink": [0.0, 3.0, 10.0], "fade": [0.95, 0.9, 0.8, 0.7, 0.6]},
    "UserNeighbours": {"neighbours": [20, 50, 100], "shrink": [0.0, 10.0, 30.0], "fade": FADES},
    "EASE": {"l2": [100.0, 200.0, 500.0, 1000.0], "fade": FADES},
    "ALS": {"factors": [32, 64, 128], "l2": [1.0, 10.0], "alpha": [1.0, 5.0], "fade": FADES},
    "BPR": {"factors": [32, 64, 128], "l2": [0.001, 0.01, 0.05], "learning_rate": [0.01, 0.05], "iterations": [50, 100]},
    "ContentNeighbours": {"text_width": [64, 128, 256], "fade": [0.95, 0.9, 0.8, 0.7, 0.6]},
}


def trials(name: str) -> list[dict[str, Any]]:
    """``TRIALS`` different settings, the defaults first."""
    own = getattr(models, name).option_class().model_dump()
    grid = GRID[name]
    every = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    drawn = [every[int(place)] for place in np.random.default_rng(0).permutation(len(every))]
    defaults = {option: own[option] for option in grid}
    first = [defaults, {**defaults, "fade": 0.9}] if "fade" in grid else [defaults]
    return [*first, *(one for one in drawn if one not in first)][:TRIALS]


def main() -> None:
    from demo_tuning import choices, run

    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--quick", action="store_true")
    quick = arguments.parse_args().quick
    rows: list[dict[str, Any]] = json.loads(RESULT.read_text())["trials"] if RESULT.exists() and not quick else []
    for protocol, name in itertools.product(SPLITS, GRID):
        for options in trials(name)[: 1 if quick else TRIALS]:
            if any((row["protocol"], row["options"]) == (protocol, {"use": name, **options}) for row in rows):
                continue
            row = run(protocol, name, options, quick)
            rows.append({key: row[key] for key in ("protocol", "model", "options", "epochs", "validation_ndcg@10", "seconds")})
            print(f"{protocol:<16}{row['validation_ndcg@10']:.4f}  {row['options']}", flush=True)
            if not quick:
                RESULT.write_text(json.dumps({"trials_each": TRIALS, "grid": GRID, "choice": choices(rows), "trials": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
