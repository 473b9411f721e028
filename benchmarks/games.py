"""Amazon Video Games, leave-last-out: does the recipe of Amazon Beauty carry over? configs/games.toml, three seeds.

    GERMANE_DATA=... python benchmarks/games.py
    python benchmarks/games.py --quick    # a rehearsal

Titles and order, no times; 50,546 users and 16,859 items. Seen items are left out of lists. "SASRec" and "ItemNeighbours" are our own, each tuned on
validation by nine trials; the rows of "games" have the recipe's own baselines, with the options that it says.
"""

from __future__ import annotations

from _claims import Wanted
from _harness import Benchmark
from _plans import Plan, recipe
from _tuned import NEIGHBOURS, SASREC, as_sasrec, instead

BENCHMARK = Benchmark(
    __file__,
    "What comes next: Amazon Video Games, leave-last-out",
    plans=[
        Plan("games", recipe("games"), needs="Games"),
        Plan("SASRec", as_sasrec(recipe("games"), epochs=12, patience=4), needs="Games", against="games", grid=SASREC),
        Plan("ItemNeighbours", instead(recipe("games"), {"use": "ItemNeighbours"}), needs="Games", against="games", grid=NEIGHBOURS),
    ],
    metrics=("ndcg@10", "recall@10"),
    wanted=[
        Wanted("NDCG@10 over that of the best baseline", "games", rivals="all", least=1.1, p_below=0.001),
        Wanted("NDCG@10 over that of our SASRec", "games", over={"plan": "SASRec"}, least=1.0, p_below=0.05),
        Wanted("NDCG@10 over that of tuned ItemNeighbours", "games", over={"plan": "ItemNeighbours"}, least=1.1),
    ],
)

if __name__ == "__main__":
    BENCHMARK.main()
