"""Amazon Beauty, leave-last-out, on the test part: the recipe configs/beauty.toml, three seeds.

    GERMANE_DATA=... python benchmarks/beauty.py            # goes on where it was stopped
    python benchmarks/beauty.py --quick                     # a rehearsal

Seen items are left out of lists, and the model is trained again on training and validation events for the epochs that validation chose, as in the
published figures ("five minutes" is the same without texts and attributes; best: SASRec with sampled softmax, .0531 and .0921; eSASRec .0523 and
.0928). With ``--peers``, RecTools' SASRec and implicit's ALS and BPR on the same split, tuned on validation with as many trials each
(benchmarks/peers/). "SASRec" and "ItemNeighbours" are our own, tuned with as many trials.
"""

from __future__ import annotations

from typing import Any

from _claims import Wanted
from _harness import Benchmark
from _peers import Peer
from _plans import Plan, recipe
from _tuned import NEIGHBOURS, SASREC, as_sasrec, instead

PEERS = (("rectools", "SASRec"), ("implicit", "ALS"), ("implicit", "BPR"))

SMALL = {
    "text": {"use": "NoText"},
    "model": {"side": False, "dropout": 0.3},
    "training": {"epochs": 9},
    "evaluation": {"baselines": []},
}


def minutes(trained: Any) -> None:
    """From reading the files to the trained model, without the judging."""
    import json

    seconds = json.loads((trained.run / "about.json").read_text())["seconds"]
    trained.rows[0]["metrics"]["minutes"] = {"value": (seconds["total"] - seconds["evaluate"]) / 60}


BENCHMARK = Benchmark(
    __file__,
    "What comes next: Amazon Beauty, leave-last-out",
    plans=[
        Plan("beauty", recipe("beauty"), beside=minutes, needs="Beauty"),
        Plan("five minutes", recipe("beauty", **SMALL), beside=minutes, needs="Beauty"),
        Plan("SASRec", as_sasrec(recipe("beauty"), epochs=12, patience=4), needs="Beauty", against="beauty", grid=SASREC),
        Plan("ItemNeighbours", instead(recipe("beauty"), {"use": "ItemNeighbours"}), needs="Beauty", against="beauty", grid=NEIGHBOURS),
        *(Plan(f"{library} {model}", recipe("beauty"), needs="Beauty", against="beauty", peer=Peer(library, model)) for library, model in PEERS),
    ],
    metrics=("ndcg@10", "recall@10", "minutes"),
    wanted=[
        Wanted("NDCG@10", "beauty", least=0.064),
        Wanted("recall@10", "beauty", "recall@10", least=0.108),
        Wanted("minutes a seed", "beauty", "minutes", most=45),
        Wanted("identity and order alone, NDCG@10", "five minutes", least=0.056),
        Wanted("identity and order alone, minutes a seed", "five minutes", "minutes", most=5),
        Wanted("NDCG@10 over that of the best baseline", "beauty", rivals="all", least=1.0, p_below=0.001),
        Wanted("NDCG@10 over that of our SASRec", "beauty", over={"plan": "SASRec"}, least=1.0, p_below=0.05),
        Wanted("NDCG@10 over that of tuned ItemNeighbours", "beauty", over={"plan": "ItemNeighbours"}, least=1.0),
        *(
            Wanted(f"NDCG@10 over that of {library} {model}", "beauty", over={"plan": f"{library} {model}"}, least=1.0, p_below=0.05)
            for library, model in PEERS
        ),
    ],
)

if __name__ == "__main__":
    BENCHMARK.main()
