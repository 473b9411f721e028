"""Little data: 1, 3, 10 and 100 % of the training and validation events, against the classics. Where does the pretrained language model pay?

    GERMANE_DATA=... python benchmarks/small_data.py
    python benchmarks/small_data.py --quick    # a rehearsal

MovieLens 100K by time (configs/movielens.toml) and Amazon Beauty leave-last-out (configs/beauty.toml). Which events stay is drawn anew for each of
three seeds; the test part is always whole, and histories hold only what stayed. Each share is trained as the recipe says, with texts read by the
pretrained language model; on films also with hashed words; and without texts. p of a plan is against the same share without texts.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from _claims import Wanted
from _harness import Benchmark
from _plans import Plan, Row, recipe

SHARES = (1, 3, 10, 100)
SETS: dict[str, tuple[str, str, list[Any]]] = {
    "films": (
        "movielens",
        "MovieLens100K",
        [
            "Popular",
            "PopularLately",
            {"use": "ItemNeighbours", "fade": 0.6},
            {"use": "EASE", "l2": 500.0},
            "ALS",
            {"use": "ContentNeighbours", "fade": 0.6},
        ],
    ),
    "beauty": ("beauty", "Beauty", ["Popular", {"use": "ItemNeighbours", "fade": 0.7}, "ALS", {"use": "ContentNeighbours", "fade": 0.6}]),
}
TEXTS = {"": "PretrainedText", ", hashed words": "HashedText", ", no texts": "NoText"}


def share_of(name: str, share: int, text: str) -> Callable[[int, Path], dict[str, Any]]:
    def sections(seed: int, folder: Path) -> dict[str, Any]:
        import numpy as np
        from _tables import as_files, opened, parted

        from germane.data import Split

        said = recipe(SETS[name][0])(seed, folder)
        dataset, split = opened(said, folder)
        rng = np.random.default_rng(seed)

        def some(rows: Any) -> Any:
            return np.sort(rng.choice(rows, max(1, round(len(rows) * share / 100)), replace=False))

        kept = Split(some(split.train), some(split.validation), split.test, "given")
        baselines = SETS[name][2] if text == "PretrainedText" else []
        return {
            **said,
            "data": as_files(dataset, folder, parted(dataset, kept)),
            "split": {"use": "Given"},
            "text": {"use": text},
            "evaluation": {**said["evaluation"], "baselines": baselines, "variants": [], "segments": ["all"]},
        }

    return sections


def plans() -> list[Plan]:
    made = []
    for name, (_, source, _) in SETS.items():
        for share in SHARES:
            for label, text in reversed(TEXTS.items()):
                if name == "beauty" and text == "HashedText":
                    continue
                against = None if text == "NoText" else f"{name} {share} %, no texts"
                few = text != "HashedText" and share in (1, 10)
                said = share_of(name, share, text)
                made.append(Plan(f"{name} {share} %{label}", said, needs=source, against=against, users=300, rehearsed=few))
    return made


def plot(summary: list[Row], axes: Any) -> None:
    """Films: what each model makes of how much."""
    lines: dict[str, list[tuple[int, float]]] = {}
    for row in summary:
        for label in TEXTS:
            for share in SHARES:
                if row["plan"] == f"films {share} %{label}":
                    name = f"{row['name']}{label or ', language model'}" if row["own"] else row["name"]
                    lines.setdefault(name, []).append((share, row["figures"]["ndcg@10"]["mean"]))
    for name, points in lines.items():
        own = ", " in name
        shares, values = zip(*sorted(points), strict=True)
        axes.plot(shares, values, marker="o", linewidth=2.2 if own else 1, linestyle="-" if own else "--", label=name)
    axes.set_xscale("log")
    axes.set_xticks(SHARES, [f"{share} %" for share in SHARES])
    axes.set_xlabel("of the training events of MovieLens 100K")
    axes.set_ylabel("NDCG@10")
    axes.legend(frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))


BENCHMARK = Benchmark(
    __file__,
    "Little data",
    plans=plans(),
    wanted=[
        *(
            Wanted(
                f"{name}, {share} %: NDCG@10 over that without texts",
                f"{name} {share} %",
                over={"plan": f"{name} {share} %, no texts"},
                least=1.0,
                p_below=0.05,
            )
            for name in SETS
            for share in SHARES[:3]
        ),
        *(
            Wanted(f"{name}, {share} %: NDCG@10 over that of the best classic", f"{name} {share} %", rivals="all", least=1.0)
            for name in SETS
            for share in SHARES
        ),
    ],
    plot=plot,
    caption="NDCG@10 on MovieLens 100K by time against the share of training events.",
)

if __name__ == "__main__":
    BENCHMARK.main()
