"""Which optimiser, which schedule, which mean of weights? On validation figures of MovieLens 100K by time; the test part is never looked at.

    python benchmarks/optimisers.py            # some three hours on two cores
    python benchmarks/optimisers.py --quick    # a rehearsal

configs/movielens.toml but for [training]. Each optimiser has three learning rates, a factor of three apart, at a constant schedule; each schedule and
each mean has `adamw` at the recipe's own rate. Up to twenty epochs, stopped by validation; schedules that fall to zero run all of them, and so
does `swa`. Figures are those of the best epoch. `seconds` are of training, validation included.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _claims import Wanted
from _harness import Benchmark
from _plans import FEW_USERS, Plan, Row, measured, recipe

EPOCHS = 20
FIGURE = "validation_ndcg@10"
USUAL = "adamw 0.002"
RATES = {"adamw": 2e-3, "adam": 2e-3, "sgd": 0.3, "adafactor": 1e-2}
"""The middle one of three."""
SCHEDULES: dict[str, dict[str, Any]] = {
    "linear": {"schedule": "linear", "patience": EPOCHS},
    "cosine": {"schedule": "cosine", "patience": EPOCHS},
    "inverse_sqrt": {"schedule": "inverse_sqrt"},
    "plateau": {"schedule": "plateau"},
    "warmup of a tenth": {"warmup": 0.1},
    "average": {"average": 0.99},
    "swa": {"swa": 0.5, "patience": EPOCHS},
    "label_smoothing": {"label_smoothing": 0.1},
}
REHEARSED = (USUAL, "sgd 0.3", "swa")


def learned(**training: Any) -> Callable[[int, Path, bool], list[Row]]:
    def measure(seed: int, folder: Path, quick: bool) -> list[Row]:
        from _tables import rehearsal

        from germane.config import Config
        from germane.jobs.train import fit, judge

        sections = recipe("movielens", training={"epochs": EPOCHS, "refit": False, **training})(seed, folder)
        config = Config.of(rehearsal(sections, folder, FEW_USERS) if quick else sections, folder)
        dataset = config.dataset()
        split = config.split.divide(dataset)
        recommender = config.recommender(dataset)
        began = time.perf_counter()
        told = fit(recommender, dataset, split, config.training, evaluation=config.evaluation)
        took = time.perf_counter() - began
        value = judge(recommender, dataset, split, config.evaluation, part="validation").value()
        figures = {FIGURE: value, "best_epoch": told["epochs"], "epochs": len(told["curve"]), "seconds": took}
        return [measured("ContextTransformer", figures, split="validation")]

    return measure


def plans() -> list[Plan]:
    said = {
        f"{rule} {rate * times:.2g}": {"optimiser": rule, "learning_rate": rate * times} for rule, rate in RATES.items() for times in (1 / 3, 1, 3)
    }
    return [
        Plan(name, measure=learned(**training), needs="MovieLens100K", rehearsed=name in REHEARSED)
        for name, training in {**said, **SCHEDULES}.items()
    ]


BENCHMARK = Benchmark(
    __file__,
    "Optimisers and schedules",
    plans=plans(),
    metrics=(FIGURE, "best_epoch", "epochs", "seconds"),
    wanted=[
        Wanted(f"validation NDCG@10 with {name} over that of the recipe", name, metric=FIGURE, over={"plan": USUAL}, least=1.0)
        for name in ("cosine", "plateau", "average", "swa")
    ],
)

if __name__ == "__main__":
    BENCHMARK.main()
