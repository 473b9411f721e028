"""Amazon Video Games, leave-last-out: does the recipe of Amazon Beauty carry over? configs/games.toml, three seeds.

    GERMANE_DATA=... python benchmarks/games.py
    python benchmarks/games.py --quick    # a rehearsal

Titles and order, no times; 50,546 users and 16,859 items. Seen items are left out of lists. "SASRec" is our own, tuned on
validation by nine trials.
"""

from __future__ import annotations

from _claims import Wanted
from _harness import Benchmark
from _plans import Plan, recipe
from _tuned import SASREC, as_sasrec

BENCHMARK = Benchmark(
    __file__,
    "What comes next: Amazon Video Games, leave-last-out",
    plans=[
        Plan("games", recipe("games"), needs="Games"),
        Plan("SASRec", as_sasrec(recipe("games"), epochs=12, patience=4), needs="Games", against="games", grid=SASREC),
    ],
    metrics=("ndcg@10", "recall@10"),
    wanted=[
        Wanted("NDCG@10 over that of the best baseline", "games", rivals="all", least=1.1, p_below=0.001),
        Wanted("NDCG@10 over that of our SASRec", "games", over={"plan": "SASRec"}, least=1.0, p_below=0.05),
    ],
)

if __name__ == "__main__":
    BENCHMARK.main()
