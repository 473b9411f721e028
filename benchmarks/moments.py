"""A generated world in which the moment decides, three seeds: how near the model comes to the best that can be expected.

    python benchmarks/moments.py            # some 6 minutes on two cores; goes on where it was stopped
    python benchmarks/moments.py --quick    # a rehearsal

The config is the demo's. "best possible" ranks by the true chances, with the context and without: no model can expect more.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from _claims import Wanted
from _harness import Benchmark
from _plans import Plan, Row

AS_TRAINED = {"variant": "as trained"}
LABELS = {
    "as trained": "the model",
    "without context": "trained without context",
    "context shuffled": "asked in others' moments",
    "context missing": "one value in ten missing",
    "typos in words": "typing errors in words",
}


def world(seed: int, folder: Path) -> dict[str, Any]:
    from germane.jobs.demo import WORLD, moments, written
    from germane.worlds import MomentWorld

    made = MomentWorld(**WORLD)
    return moments(made, written(made, folder / "world-tables"), seed)


def best_possible(trained: Any) -> None:
    from germane.jobs.demo import WORLD
    from germane.worlds import MomentWorld

    held_out = trained.dataset.take(trained.split.test)
    first = trained.rows[0]
    for variant, known in (("as trained", True), ("without context", False)):
        value = MomentWorld(**WORLD).best_ndcg(held_out, know_context=known)
        trained.rows.append({**first, "name": "best possible", "variant": variant, "metrics": {"ndcg@10": {"value": value}}, "p_against": {}})


def plot(summary: list[Row], axes: Any) -> None:
    rows = {(row["name"], row["variant"]): row["figures"]["ndcg@10"] for row in summary}
    own = next(row["name"] for row in summary if row["own"])
    bars = [(label, rows[own, variant]) for variant, label in LABELS.items() if (own, variant) in rows]
    bars += [(name, rows[name, "as trained"]) for name in ("Popular", "ItemNeighbours") if (name, "as trained") in rows]
    bars.reverse()
    colours = ["#b8b8b8" if label in ("Popular", "ItemNeighbours") else "#2f6f9f" for label, _ in bars]
    axes.barh([label for label, _ in bars], [said["mean"] for _, said in bars], xerr=[said["spread"] or 0 for _, said in bars], color=colours)
    for variant, label, style in (("as trained", "best possible", "-"), ("without context", "best possible without context", ":")):
        if ("best possible", variant) in rows:
            axes.axvline(rows["best possible", variant]["mean"], color="#444444", linestyle=style, label=label)
    axes.set_xlabel("NDCG@10")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)


BENCHMARK = Benchmark(
    __file__,
    "The moment: a generated world with a known truth",
    plans=[Plan("world", world, beside=best_possible)],
    wanted=[
        Wanted(
            "NDCG@10 over that of the same model trained without context", "world", over={"variant": "without context"}, least=1.25, p_below=0.001
        ),
        Wanted("NDCG@10 over the best possible", "world", over={"name": "best possible"}, least=0.8),
        Wanted("Of NDCG@10, what is left with one context value in ten missing", "world", variant="context missing", over=AS_TRAINED, least=0.8),
        Wanted("Of NDCG@10, what is left with a typing error in each longer word", "world", variant="typos in words", over=AS_TRAINED, least=0.8),
    ],
    plot=plot,
    caption="What the model reaches in the generated world, and what is left of it where the moment is not known, not right or not complete.",
)

if __name__ == "__main__":
    BENCHMARK.main()
