"""Amazon Beauty, leave-last-out, on the test part: the recipe configs/beauty.toml, three seeds.

    GERMANE_DATA=... python benchmarks/beauty.py            # goes on where it was stopped
    GERMANE_DATA=... python benchmarks/beauty.py --quick    # one seed, one epoch: shows that it runs, writes nothing

Seen items are left out of lists, and the model is trained again on training and validation events for the epochs that validation chose, as in the
published figures. Claims: N@10 at least .064 and R@10 at least .108, within 45 minutes a seed on two cores. Writes benchmarks/results/beauty.json.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from _seeds import run_seeds

from germane.config import read_toml

HERE = Path(__file__).parent
RESULT = HERE / "results" / "beauty.json"


def recipe(seed: int, folder: Path) -> dict[str, Any]:
    return {**read_toml(HERE.parent / "configs" / "beauty.toml"), "seed": seed}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--quick", action="store_true")
    found = run_seeds(RESULT, {"beauty": recipe}, quick=arguments.parse_args().quick)
    own = [next(row for row in run["rows"] if row["name"] == "ContextTransformer" and row["segment"] == "all") for run in found["runs"]]
    for metric, wanted in (("ndcg@10", 0.064), ("recall@10", 0.108)):
        print(f"{metric}: {np.mean([row['metrics'][metric]['value'] for row in own]):.4f} over {len(own)} seeds; wanted {wanted}")
    print(f"minutes a seed: {np.mean([run['seconds'] for run in found['runs']]) / 60:.1f}; at most 45")


if __name__ == "__main__":
    main()
