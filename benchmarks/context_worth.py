"""What context is worth: the same model as trained, trained again without context, and asked in the moments of others.

    GERMANE_DATA=... python benchmarks/context_worth.py
    python benchmarks/context_worth.py --quick    # a rehearsal

Frappe over the whole catalogue (configs/frappe_topk.toml), MovieLens 100K by time and the generated world in which the moment decides (the demo's
configs), three seeds each. A run that another benchmark has made of the same recipe is taken over. "without context" is what context is worth;
"context shuffled" is what a model that leans on it loses where it is misled.
"""

from __future__ import annotations

from typing import Any

from _claims import Wanted
from _harness import Benchmark
from _plans import Plan, Row, recipe
from moments import world
from movielens import films

PLANS = {"apps": "Frappe", "films": "MovieLens 100K", "world": "generated world"}


def plot(summary: list[Row], axes: Any) -> None:
    variants = ("as trained", "without context", "context shuffled")
    own = {row["plan"]: row["name"] for row in summary if row["own"]}
    figures = {(r["plan"], r["variant"]): r["figures"]["ndcg@10"] for r in summary if r["name"] == own.get(r["plan"]) and r["segment"] == "all"}
    for place, (variant, colour) in enumerate(zip(variants, ("#2f6f9f", "#8fb4cf", "#c8553d"), strict=True)):
        there = [(n, figures[plan, variant]) for n, plan in enumerate(PLANS) if (plan, variant) in figures]
        heights, spreads = [said["mean"] for _, said in there], [said["spread"] or 0 for _, said in there]
        axes.bar([n + (place - 1) * 0.27 for n, _ in there], heights, 0.25, yerr=spreads, color=colour, label=variant)
    axes.set_xticks(range(len(PLANS)), list(PLANS.values()))
    axes.set_ylabel("NDCG@10")
    axes.legend(frameon=False)


BENCHMARK = Benchmark(
    __file__,
    "What context is worth",
    plans=[
        Plan("apps", recipe("frappe_topk"), needs="Frappe"),
        Plan("films", films("by-time"), needs="MovieLens100K"),
        Plan("world", world),
    ],
    wanted=[
        Wanted(
            f"{label}: NDCG@10 over that of the same model trained without context",
            plan,
            over={"variant": "without context"},
            least=1.0,
            p_below=0.05,
        )
        for plan, label in PLANS.items()
    ],
    plot=plot,
    caption="The same model as trained, trained without context, and asked in the moments of others.",
)

if __name__ == "__main__":
    BENCHMARK.main()
