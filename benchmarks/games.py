"""Amazon Video Games, leave-last-out: does the recipe of Amazon Beauty carry over? configs/games.toml, three seeds.

    GERMANE_DATA=... python benchmarks/games.py
    python benchmarks/games.py --quick    # a rehearsal

Titles and order, no times; 50,546 users and 16,859 items. Seen items are left out of lists.
"""

from __future__ import annotations

from _claims import Wanted
from _harness import Benchmark
from _plans import Plan, recipe

BENCHMARK = Benchmark(
    __file__,
    "What comes next: Amazon Video Games, leave-last-out",
    plans=[Plan("games", recipe("games"), needs="Games")],
    metrics=("ndcg@10", "recall@10"),
    wanted=[Wanted("NDCG@10 over that of the best baseline", "games", rivals="all", least=1.1, p_below=0.001)],
)

if __name__ == "__main__":
    BENCHMARK.main()
