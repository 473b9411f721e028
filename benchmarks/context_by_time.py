"""What time features are worth on MovieLens 100K by time, on validation alone: three seeds, each setting trained like the others.

    python benchmarks/context_by_time.py            # about ten minutes on two cores
    python benchmarks/context_by_time.py --quick    # one seed, two epochs: shows that it runs

The test part is never looked at. Writes benchmarks/results/context_by_time.json after every training.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

from germane.data import ByTime
from germane.data.options import DataOptions, open_dataset
from germane.encoders import PretrainedText
from germane.features import Categories, Feature, Numbers, Place, Time
from germane.jobs.train import fit
from germane.models import ContextTransformer
from germane.recommender import Recommender
from germane.training import TrainingOptions

OUT = Path(__file__).parent / "results" / "context_by_time.json"
PLAIN = {"context": False, "history_context": False}


def with_time(season: bool) -> list[Feature]:
    return [Time(season=season), Categories(), Numbers(), Place()]


SETTINGS: dict[str, tuple[dict[str, bool], Callable[[], list[Feature]]]] = {
    "without context": (PLAIN, list),
    "context, no season": ({}, lambda: with_time(False)),
    "context, season": ({}, lambda: with_time(True)),
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--quick", action="store_true")
    quick = arguments.parse_args().quick
    dataset = open_dataset(DataOptions(use="MovieLens100K"), Path())
    split = ByTime().divide(dataset)
    training = TrainingOptions(epochs=2 if quick else 10, patience=3)
    rows = []
    for seed in range(1 if quick else 3):
        for name, (options, features) in SETTINGS.items():
            recommender = Recommender(ContextTransformer(**options), text=PretrainedText(), features=features(), seed=seed)
            told = fit(recommender, dataset, split, training)
            best = max(epoch["validation"] for epoch in told["curve"])
            rows.append(
                {
                    "setting": name,
                    "seed": seed,
                    "validation_ndcg@10": best,
                    "epoch": told["epochs"],
                    "seconds": told["seconds"],
                    "curve": told["curve"],
                }
            )
            print(f"{name:<20} seed {seed}  validation NDCG@10 {best:.4f} at epoch {told['epochs']}", flush=True)
            if not quick:
                OUT.write_text(json.dumps({"data": "MovieLens100K by time", "part": "validation", "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
