"""Each classic beside the implementation that its field uses: MovieLens 100K leave-last-out, both tuned, three seeds.

    python benchmarks/classics.py --peers            # peers' environments are made once, by pip
    python benchmarks/classics.py --quick            # a rehearsal, without peers unless --peers is said

What is read is the same for both: who took what, in which order, and nothing else; SASRec reads the last 50. Each
is tuned on validation by nine trials, drawn by one rule from a grid of its own that begins with its defaults, and then trained on training and
validation events for the test part. Seen films are left out of lists. `ALS` and `BPR` learn through the library that they stand beside, so theirs are
two ways to ask the same factors: here users are solved for from their history, there read from training. Grids: this script, benchmarks/peers/.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from _claims import Wanted
from _harness import Benchmark
from _peers import Peer
from _plans import Plan
from _tuned import Grid

NEURAL = {"training.learning_rate": [1e-3, 3e-4, 3e-3]}
CLICK = {"heads": {"click": 1.0}, "negatives": 4, "metric": "ndcg@10", "epochs": 30, "weight_decay": 0.0}
CLASSICS: dict[str, tuple[tuple[str, str], dict[str, Any], Grid]] = {
    "SASRec": (
        ("rectools", "SASRec"),
        {"epochs": 40},
        {"model.length": [50], "model.width": [64, 128], "model.blocks": [2, 1], "model.heads": [1, 2], "model.dropout": [0.2, 0.4], **NEURAL},
    ),
    "ALS": (
        ("implicit", "ALS"),
        {},
        {"model.factors": [64, 32, 128], "model.l2": [1.0, 0.01, 10.0], "model.alpha": [1.0, 5.0, 20.0], "model.iterations": [15, 30]},
    ),
    "BPR": (
        ("implicit", "BPR"),
        {},
        {"model.factors": [64, 32, 128], "model.l2": [0.01, 0.001, 0.05], "model.learning_rate": [0.01, 0.05], "model.iterations": [100, 300]},
    ),
    "EASE": (("recbole", "EASE"), {}, {"model.l2": [200.0, 50.0, 100.0, 150.0, 350.0, 500.0, 700.0, 1000.0, 2000.0]}),
    "ItemNeighbours": (
        ("recbole", "ItemKNN"),
        {},
        {"model.neighbours": [200, 20, 50, 100, 400], "model.shrink": [10.0, 0.0, 3.0], "model.fade": [1.0]},
    ),
    "NCF": (
        ("recbole", "NeuMF"),
        CLICK,
        {"model.width": [32, 64], "model.layers": [[64, 32, 16], [128, 64]], "model.dropout": [0.0, 0.1, 0.3], **NEURAL},
    ),
    "DeepMF": (
        ("recbole", "DMF"),
        CLICK,
        {"model.values": [False], "model.layers": [[128, 64], [64, 64]], "model.dropout": [0.0, 0.2], "model.blank": [0.05, 0.0], **NEURAL},
    ),
}
"""The peer, what training asks for, and the grid."""


def films(name: str) -> Callable[[int, Path], dict[str, Any]]:
    def sections(seed: int, folder: Path) -> dict[str, Any]:
        return {
            "seed": seed,
            "data": {"use": "MovieLens100K", "columns": {"side": [], "user_side": [], "text": []}},
            "split": {"use": "LeaveLastOut"},
            "text": {"use": "NoText"},
            "features": {"use": []},
            "model": {"use": name},
            "training": {**CLASSICS[name][1], "refit": True},
            "evaluation": {"k": [10], "segments": ["all"], "baselines": [], "variants": []},
        }

    return sections


def beside(name: str) -> str:
    library, model = CLASSICS[name][0]
    return f"{library} {model}"


BENCHMARK = Benchmark(
    __file__,
    "Classics beside their peers: MovieLens 100K, leave-last-out",
    plans=[
        plan
        for name, (peer, _, grid) in CLASSICS.items()
        for plan in (
            Plan(name, films(name), needs="MovieLens100K", grid=grid, users=100),
            Plan(beside(name), films(name), needs="MovieLens100K", against=name, peer=Peer(*peer), users=100),
        )
    ],
    metrics=("ndcg@10", "recall@10"),
    wanted=[Wanted(f"{name}, NDCG@10 over that of {beside(name)}", name, over={"plan": beside(name)}, least=0.97) for name in CLASSICS],
)

if __name__ == "__main__":
    BENCHMARK.main()
