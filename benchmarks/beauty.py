"""Amazon Beauty, leave-last-out, on the test part: the recipe configs/beauty.toml, three seeds.

    GERMANE_DATA=... python benchmarks/beauty.py            # goes on where it was stopped
    python benchmarks/beauty.py --quick                     # a rehearsal

Seen items are left out of lists, and the model is trained again on training and validation events for the epochs that validation chose, as in the
published figures (best: SASRec with sampled softmax, .0531 and .0921; eSASRec .0523 and .0928). With ``--peers``, RecTools' SASRec and implicit's
ALS and BPR on the same split, tuned on validation with as many trials each (benchmarks/peers/).
"""

from __future__ import annotations

from _claims import Wanted
from _harness import Benchmark
from _peers import Peer
from _plans import Plan, recipe

PEERS = (("rectools", "SASRec"), ("implicit", "ALS"), ("implicit", "BPR"))

BENCHMARK = Benchmark(
    __file__,
    "What comes next: Amazon Beauty, leave-last-out",
    plans=[
        Plan("beauty", recipe("beauty"), needs="Beauty"),
        *(Plan(f"{library} {model}", recipe("beauty"), needs="Beauty", against="beauty", peer=Peer(library, model)) for library, model in PEERS),
    ],
    metrics=("ndcg@10", "recall@10"),
    wanted=[
        Wanted("NDCG@10", "beauty", least=0.064),
        Wanted("recall@10", "beauty", "recall@10", least=0.108),
        Wanted("NDCG@10 over that of the best baseline", "beauty", rivals="all", least=1.0, p_below=0.001),
        *(
            Wanted(f"NDCG@10 over that of {library} {model}", "beauty", over={"plan": f"{library} {model}"}, least=1.0, p_below=0.05)
            for library, model in PEERS
        ),
    ],
)

if __name__ == "__main__":
    BENCHMARK.main()
