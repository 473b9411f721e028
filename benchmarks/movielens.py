"""MovieLens 100K on the test part: by time, leave-last-out, with films kept out of training, and the stars that a film gets.

    python benchmarks/movielens.py            # some 40 minutes on two cores; goes on where it was stopped
    python benchmarks/movielens.py --quick    # a rehearsal

The first three plans are the demo's configs: options and epochs were chosen on validation by demo_tuning.py, three seeds. "blended" is the leave-
last-out model with a fifth of ALS beside it. "8:1:1" divides random rows and judges one list a user by all its test films, as RecBole does (BPR
.2920 there). "rating" is configs/movielens_rating.toml on five random fifths, which [split] seed 0 to 4 draws. With ``--peers``: RecTools, implicit
and RecBole leave-last-out, LightGBM and Surprise's SVD on the stars, on the same splits (benchmarks/peers/); SVD reads who and what alone.
"SASRec" is our own, tuned with as many trials.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from _claims import Wanted
from _harness import Benchmark
from _peers import Peer
from _plans import Plan, recipe
from _tuned import SASREC, as_sasrec

ALS = {"use": "ALS", "l2": 10.0, "alpha": 1.0, "factors": 32, "fade": 0.9}
EASE = {"use": "EASE", "l2": 500.0, "fade": 0.95}
"""Tuned on validation, see LOG.md; .2 is the weight that did best there beside the demo's model."""
PEERS = (("rectools", "SASRec"), ("implicit", "ALS"), ("implicit", "BPR"), ("implicit", "BM25"), ("recbole", "BPR"))
OF_STARS = (("lightgbm", "lightgbm", "rating"), ("surprise SVD", "surprise", "SVD"))
FIFTHS = (0, 1, 2, 3, 4)
PROTOCOLS = ("by-time", "leave-last-out")
BASELINES = ("Popular", "PopularLately", "ItemNeighbours")


def films(protocol: str) -> Any:
    def sections(seed: int, folder: Path) -> dict[str, Any]:
        from germane.jobs.demo import films

        return films(protocol, seed)

    return sections


def kept_out(seed: int, folder: Path) -> dict[str, Any]:
    from germane.jobs.demo import films_kept_out

    return films_kept_out(seed)


def blended(seed: int, folder: Path) -> dict[str, Any]:
    """The demo's leave-last-out config, with a fifth of ALS added."""
    sections = films("leave-last-out")(seed, folder)
    members = [{**sections["model"], "weight": 1.0}, {**ALS, "weight": 0.2}]
    rivals = {"baselines": ["ItemNeighbours", ALS, EASE], "variants": []}
    return {**sections, "model": {"use": "Blend", "members": members}, "evaluation": {**sections["evaluation"], **rivals}}


def shuffled(seed: int, folder: Path) -> dict[str, Any]:
    """Random rows 8:1:1, as RecBole divides. Weights and ridges were chosen on validation (.2603; EASE .2562, ALS .2531 alone)."""
    members = [{"use": "EASE", "l2": 300.0, "weight": 1.0}, {**ALS, "fade": 1.0, "weight": 1.0}]
    return {
        "seed": seed,
        "data": {"use": "MovieLens100K"},
        "split": {"use": "Random", "validation": 0.1, "test": 0.1, "seed": seed},
        "text": {"use": "NoText"},
        "model": {"use": "Blend", "members": members},
        "training": {"refit": True},
        "evaluation": {"k": [10], "variants": []},
    }


def whole_lists(trained: Any) -> None:
    """One list a user, from all that is not test, judged by all the user's test films together, as RecBole does; instead of a list an event."""
    import numpy as np

    from germane import Query
    from germane.histories import Histories
    from germane.metrics import ranking

    ours, data, split = trained.recommender, trained.dataset, trained.split
    ours.histories = Histories()
    ours.remember(data.take(np.sort(np.concatenate([split.train, split.validation]))))
    asked = data.user_codes[split.test].astype(np.int64) * data.n_items + data.item_codes[split.test]
    users, relevant = np.unique(data.user_codes[split.test], return_counts=True)
    ids, codes = data.users["id"], ours.catalogue.codes
    slates = ours.recommend_many([Query(user=ids[int(user)]) for user in users], 10, explore=False)
    lists = np.array([[int(user) * data.n_items + codes[place.item] for place in slate.items] for user, slate in zip(users, slates, strict=True)])
    hits = np.isin(lists, asked)
    first = trained.rows[0]
    first["metrics"] = {"ndcg@10": {"value": float(ranking.ndcg(hits, relevant, 10).mean())}}
    trained.rows[:] = [{**first, "n": len(users)}]


def fifth(seed: int, folder: Path) -> dict[str, Any]:
    sections = recipe("movielens_rating")(seed, folder)
    return {**sections, "split": {**sections["split"], "seed": seed}}


BENCHMARK = Benchmark(
    __file__,
    "Films: MovieLens 100K by time, leave-last-out, and ratings",
    plans=[
        Plan("by-time", films("by-time"), needs="MovieLens100K"),
        Plan("leave-last-out", films("leave-last-out"), needs="MovieLens100K"),
        Plan("films kept out", kept_out, needs="MovieLens100K"),
        Plan("blended", blended, needs="MovieLens100K", users=100),
        Plan("8:1:1", shuffled, beside=whole_lists, needs="MovieLens100K"),
        Plan("rating", fifth, needs="MovieLens100K", seeds=FIFTHS, users=100),
        *(
            Plan(f"{library} {model}", films("leave-last-out"), needs="MovieLens100K", against="leave-last-out", peer=Peer(library, model))
            for library, model in PEERS
        ),
        *(
            Plan(f"{protocol}, SASRec", as_sasrec(films(protocol), epochs=40), needs="MovieLens100K", against=protocol, grid=SASREC)
            for protocol in PROTOCOLS
        ),
        *(
            Plan(f"rating, {name}", fifth, needs="MovieLens100K", seeds=FIFTHS, against="rating", peer=Peer(library, model, "rating"))
            for name, library, model in OF_STARS
        ),
    ],
    metrics=("ndcg@10", "rmse"),
    wanted=[
        Wanted("by time, NDCG@10", "by-time", least=0.118),
        Wanted("by time, NDCG@10 over that of the best baseline", "by-time", rivals=BASELINES, least=1.25, p_below=0.05),
        Wanted("leave-last-out, NDCG@10 over that of the best baseline", "leave-last-out", rivals=BASELINES, least=1.8, p_below=0.001),
        Wanted("leave-last-out, NDCG@10 of the blend", "blended", least=0.132),
        Wanted("8:1:1, NDCG@10 of a user's list", "8:1:1", least=0.30),
        Wanted("stars, RMSE", "rating", "rmse", most=0.912),
        Wanted("stars, RMSE over that of surprise SVD", "rating", "rmse", over={"plan": "rating, surprise SVD"}, most=1.0),
        *(
            Wanted(
                f"leave-last-out, NDCG@10 over that of {library} {model}",
                "leave-last-out",
                over={"plan": f"{library} {model}"},
                least=1.0,
                p_below=0.05,
            )
            for library, model in PEERS
        ),
        *(
            Wanted(f"{protocol}, NDCG@10 over that of our SASRec", protocol, over={"plan": f"{protocol}, SASRec"}, least=1.0, p_below=0.05)
            for protocol in PROTOCOLS
        ),
    ],
)

if __name__ == "__main__":
    BENCHMARK.main()
