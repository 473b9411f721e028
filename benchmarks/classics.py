"""Each classic beside the implementation that its field uses, both tuned: MovieLens 100K leave-last-out and its stars, and Frappe for clicks. Three
seeds.

    GERMANE_DATA=... python benchmarks/classics.py --peers    # environments are made once, by pip; MovieLens 100K fetches itself
    python benchmarks/classics.py --quick                     # a rehearsal, without peers unless --peers is said

What is read is the same for both: of lists, who took what, in which order, and nothing else (SASRec and GRU read the last 50); of stars, who gave how
many to what, a random fifth a seed; of clicks, the columns and drawn negatives of configs/frappe.toml. Each is tuned on validation by nine trials,
drawn by one rule from a grid of its own that begins with its defaults, and then trained on training and validation events for the test part; of
Frappe there is no test part, so its pairs are judged on the very file that tunes them. Seen films are left out of lists. `ALS` and `BPR` learn
through the library that they stand beside, so theirs are two ways to ask the same factors: here users are solved for from their history, there read
from training. `Popular`, `PopularLately` and `ContentNeighbours` count too plainly for one; of `TensorFactorisation` and `TwoEmbeddings` no
library that is kept for Python has the like. Grids: this script, _tuned.py, benchmarks/peers/.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from _claims import Wanted
from _harness import Benchmark
from _peers import Peer
from _plans import Plan, recipe
from _tuned import MACHINE, Grid

NEURAL = {"training.learning_rate": [1e-3, 3e-4, 3e-3]}
CLICK = {"heads": {"click": 1.0}, "negatives": 4, "metric": "ndcg@10", "epochs": 30, "weight_decay": 0.0}
CLASSICS: dict[str, tuple[tuple[str, str], dict[str, Any], Grid]] = {
    "SASRec": (
        ("rectools", "SASRec"),
        {"epochs": 40},
        {"model.length": [50], "model.width": [64, 128], "model.blocks": [2, 1], "model.heads": [1, 2], "model.dropout": [0.2, 0.4], **NEURAL},
    ),
    "GRU": (
        ("recbole", "GRU4Rec"),
        {"epochs": 40},
        {"model.length": [50], "model.width": [64, 128], "model.layers": [1, 2], "model.dropout": [0.2, 0.4], **NEURAL},
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
    "UserNeighbours": (
        ("lenskit", "UserKNN"),
        {},
        {"model.neighbours": [50, 20, 10, 100, 200], "model.shrink": [10.0, 0.0, 30.0], "model.fade": [1.0]},
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
"""The peer, what training asks for, and the grid: lists of films."""
OF_CLICKS: dict[str, tuple[tuple[str, str, Literal["click"]], Grid]] = {
    "FactorisationMachine": (("recbole", "FM", "click"), MACHINE),
    "DCNv2": (
        ("recbole", "DCNV2", "click"),
        {
            "model.width": [16, 32],
            "model.layers": [[400, 400], [768, 768]],
            "model.table_l2": [0.0, 0.05, 0.01],
            "model.dropout": [0.2, 0.0],
            "training.learning_rate": [1e-3, 3e-3],
        },
    ),
}
"""Of Frappe, on the rows and drawn negatives of configs/frappe.toml."""
OF_STARS: dict[str, tuple[tuple[str, str, Literal["rating"]], Grid]] = {
    "BiasedMF": (
        ("surprise", "SVD", "rating"),
        {"model.width": [32, 16, 64], "model.l2": [0.02, 0.05, 0.1, 0.2], "training.learning_rate": [1e-3, 3e-3]},
    ),
}
"""Of MovieLens 100K, trained as configs/movielens_rating.toml says."""


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


def apps(name: str) -> Callable[[int, Path], dict[str, Any]]:
    def sections(seed: int, folder: Path) -> dict[str, Any]:
        said = recipe("frappe", training={"epochs": 12, "patience": 4}, evaluation={"baselines": [], "variants": [], "segments": ["all"]})(
            seed, folder
        )
        return {**said, "model": {"use": name}}

    return sections


def stars(name: str) -> Callable[[int, Path], dict[str, Any]]:
    def sections(seed: int, folder: Path) -> dict[str, Any]:
        said = recipe("movielens_rating", split={"seed": seed}, evaluation={"baselines": [], "variants": [], "segments": ["all"]})(seed, folder)
        return {**said, "model": {"use": name}}

    return sections


def beside(name: str) -> str:
    library, model = next(group[name][0][:2] for group in (CLASSICS, OF_CLICKS, OF_STARS) if name in group)
    return f"{library} {model}"


def pair(name: str, sections: Callable[[int, Path], dict[str, Any]], needs: str, peer: Peer, grid: Grid, *, rehearsed: bool = True) -> list[Plan]:
    return [
        Plan(name, sections, needs=needs, grid=grid, users=100, rehearsed=rehearsed),
        Plan(beside(name), sections, needs=needs, against=name, peer=peer, users=100),
    ]


BENCHMARK = Benchmark(
    __file__,
    "Classics beside their peers",
    plans=[
        *(plan for name, (peer, _, grid) in CLASSICS.items() for plan in pair(name, films(name), "MovieLens100K", Peer(*peer), grid)),
        *(plan for name, (peer, grid) in OF_STARS.items() for plan in pair(name, stars(name), "MovieLens100K", Peer(*peer), grid)),
        *(
            plan
            for name, (peer, grid) in OF_CLICKS.items()
            for plan in pair(name, apps(name), "Frappe", Peer(*peer), grid, rehearsed=name == "DCNv2")
        ),
    ],
    metrics=("ndcg@10", "recall@10", "auc", "log_loss", "rmse"),
    wanted=[
        *(Wanted(f"{name}, NDCG@10 over that of {beside(name)}", name, over={"plan": beside(name)}, least=0.97) for name in CLASSICS),
        *(Wanted(f"{name}, AUC over that of {beside(name)}", name, "auc", over={"plan": beside(name)}, least=0.97) for name in OF_CLICKS),
        *(Wanted(f"{name}, RMSE over that of {beside(name)}", name, "rmse", over={"plan": beside(name)}, most=1.03) for name in OF_STARS),
    ],
)

if __name__ == "__main__":
    BENCHMARK.main()
