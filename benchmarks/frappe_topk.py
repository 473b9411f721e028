"""Frappe, which of all apps is used in these circumstances: the recipe configs/frappe_topk.toml, three seeds.

    GERMANE_DATA=... python benchmarks/frappe_topk.py
    python benchmarks/frappe_topk.py --quick    # a rehearsal

Random rows are held out, since Frappe has no times; apps come again, so lists may show what was used before.
"""

from __future__ import annotations

from _claims import Wanted
from _harness import Benchmark
from _plans import Plan, recipe

BENCHMARK = Benchmark(
    __file__,
    "Context over the whole catalogue: Frappe",
    plans=[Plan("frappe_topk", recipe("frappe_topk"), needs="Frappe")],
    metrics=("ndcg@10", "recall@10"),
    segments=("all", "new pairs"),
    wanted=[
        Wanted(
            "NDCG@10 over that of the same model trained without context",
            "frappe_topk",
            over={"variant": "without context"},
            least=1.05,
            p_below=0.001,
        ),
    ],
)

if __name__ == "__main__":
    BENCHMARK.main()
