"""Speed on this machine: events a second in training on Amazon Beauty at width 128 and length 50, and what a query takes.

    GERMANE_DATA=... python benchmarks/speed.py
    python benchmarks/speed.py --quick    # a rehearsal on few users

The recipe configs/beauty.toml, once as it is and once without texts and attributes (identity alone, as SASRec has it). Seconds of an epoch are those
of the steps alone, mean of the epochs after the first; events are what is learnt from: all training events but each user's first. A query is
``recommend`` for one known user, reasons left out, ten items, median and 95th percentile of 300; also 64 users at once. "ten minutes" is the plan
"five minutes" of beauty.py. With ``--peers``, RecTools' SASRec of the same width, length and batch with each of its losses, and how good it is after
the epochs that ten minutes hold (benchmarks/peers/). To be run with nothing beside it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _claims import Wanted
from _harness import Benchmark
from _plans import Plan, Row, measured, recipe
from beauty import SMALL

EPOCHS, QUERIES = 3, 300


def timed(texts: bool) -> Callable[[int, Path, bool], list[Row]]:
    def measure(seed: int, folder: Path, quick: bool) -> list[Row]:
        import numpy as np
        from _tables import rehearsal

        from germane.config import Config
        from germane.jobs.train import fit

        said = recipe("beauty")(seed, folder)
        said["split"] = {"use": "LeaveLastOut", "validation": 0}
        said["model"] = {**said["model"], "width": 128, "length": 50}
        if not texts:
            columns = {"text": [], "side": []}
            said |= {"text": {"use": "NoText"}, "data": {**said["data"], "columns": columns}}
            said["evaluation"] = {"k": [10]}
        if quick:
            said = rehearsal(said, folder, 200)
        said["training"] = {**said["training"], "epochs": EPOCHS, "patience": EPOCHS, "refit": False, "schedule": "constant"}
        config = Config.of(said, folder)
        dataset = config.dataset()
        split = config.split.divide(dataset)
        recommender = config.recommender(dataset)
        steps: list[float] = []  # when the last step of each epoch was done
        epochs: list[float] = []  # when each was judged

        def stamp(told: Any) -> None:
            if told.ended:
                epochs.append(time.perf_counter())
            elif told.step == told.steps:
                steps.append(time.perf_counter())

        told = fit(recommender, dataset, split, config.training, evaluation=config.evaluation, progress=stamp)
        seconds = float(np.mean([end - begin for end, begin in zip(steps[1:], epochs, strict=False)]))
        events = len(split.train) - len(np.unique(dataset.user_codes[split.train]))
        recommender.remember(dataset)
        return [measured(type(recommender.model).__name__, {**epoch_figures(events, seconds, told), **query_figures(recommender, seed)})]

    return measure


def epoch_figures(events: int, seconds: float, told: Any) -> dict[str, float]:
    return {"seconds to encode": told["seconds"]["encode"], "seconds an epoch": seconds, "events a second": events / seconds}


def query_figures(recommender: Any, seed: int) -> dict[str, float]:
    import numpy as np

    from germane.types import Query

    users = recommender.histories.users()
    drawn = [Query(user=users[place]) for place in np.random.default_rng(seed).integers(0, len(users), QUERIES)]
    recommender.recommend_many(drawn[:64], 10)
    took = []
    for query in drawn:
        begin = time.perf_counter()
        recommender.recommend_many([query], 10)
        took.append(time.perf_counter() - begin)
    begin = time.perf_counter()
    for first in range(0, QUERIES, 64):
        recommender.recommend_many(drawn[first : first + 64], 10)
    median, late = np.quantile(took, [0.5, 0.95]) * 1000
    return {"ms a query": median, "ms a query, 95th percentile": late, "queries a second, 64 at once": QUERIES / (time.perf_counter() - begin)}


LOSSES: dict[str, dict[str, Any]] = {
    "softmax": {"loss": "softmax"},
    "BCE, 1 negative": {"loss": "BCE", "n_negatives": 1},
    "sampled softmax, 256 negatives": {"loss": "sampled_softmax", "n_negatives": 256},
    "gBCE, 256 negatives": {"loss": "gBCE", "n_negatives": 256},
}
"""Of RecTools' SASRec; where a loss draws negatives, they are of each position."""
MINUTES = 10


def peer_with(loss: str) -> Callable[[int, Path, bool], list[Row]]:
    """RecTools' SASRec of the same size: one fit of one epoch and one of two, so that what comes once falls out of the difference; then as many
    epochs as there is time for, judged on the test part."""

    def measure(seed: int, folder: Path, quick: bool) -> list[Row]:
        from _peers import Peer, judged_fit
        from _tables import rehearsal

        peer = Peer("rectools", "SASRec")
        said = recipe("beauty")(seed, folder) | {"split": {"use": "LeaveLastOut", "validation": 0}}
        said = rehearsal(said, folder, 200) if quick else said
        same = {"n_factors": 128, "n_blocks": 1, "session_max_len": 50, "batch_size": 256}
        options = {name: values[0] for name, values in peer.said["SASRec"].items()} | same | LOSSES[loss]

        def fitted(epochs: int) -> tuple[float, dict[str, Any], Any]:
            judged, facts = judged_fit(peer, {**options, "epochs": epochs}, said, folder, seed)
            return facts["seconds to fit"], facts, judged

        first, second = fitted(1)[0], fitted(2)[0]
        seconds = max(second - first, 1e-3)
        epochs = 3 if quick else max(1, int((60 * MINUTES - (first - seconds)) / seconds))
        whole, facts, judged = fitted(epochs)
        figures = {"seconds an epoch": seconds, "events a second": facts["events"] / seconds, "MB": facts["MB"], "minutes": whole / 60}
        figures |= {"epochs": epochs, "ndcg@10": judged.value("ndcg@10")}
        return [measured("rectools SASRec", figures, loss=loss)]

    return measure


def minutes(trained: Any) -> None:
    """What training took, and its memory, without the judging; the peak of a process that goes on to judge cannot be less."""
    import json

    from germane.jobs.memory import peak_mb

    about = json.loads((trained.run / "about.json").read_text())
    seconds = about["seconds"]
    first = trained.rows[0]["metrics"]
    first |= {"minutes": {"value": (seconds["total"] - seconds["evaluate"]) / 60}, "MB": {"value": float(peak_mb())}}


IDENTITY, TEXTS, TEN = "identity alone", "with texts and attributes", "identity alone, ten minutes"
PEERS = {loss: f"rectools SASRec, {loss}" for loss in LOSSES}

BENCHMARK = Benchmark(
    __file__,
    "Speed",
    plans=[
        Plan(IDENTITY, measure=timed(False), needs="Beauty"),
        Plan(TEXTS, measure=timed(True), needs="Beauty"),
        Plan(TEN, recipe("beauty", **SMALL), beside=minutes, needs="Beauty"),
        *(
            Plan(PEERS[loss], measure=peer_with(loss), needs="Beauty", only_with_peers=True, rehearsed=loss == "softmax", seeds=(0,))
            for loss in LOSSES
        ),
    ],
    metrics=(
        "events a second",
        "seconds an epoch",
        "seconds to encode",
        "ms a query",
        "ms a query, 95th percentile",
        "queries a second, 64 at once",
        "ndcg@10",
        "minutes",
        "epochs",
        "MB",
    ),
    wanted=[
        Wanted("identity alone, seconds an epoch (on two cores)", IDENTITY, "seconds an epoch", most=9),
        Wanted("with texts and attributes, ms a query", TEXTS, "ms a query", most=20),
        *(
            Wanted(f"seconds an epoch, over those of RecTools with {loss}", IDENTITY, "seconds an epoch", over={"plan": PEERS[loss]}, most=1 / 20)
            for loss in LOSSES
        ),
        *(Wanted(f"NDCG@10 within ten minutes, over that of RecTools with {loss}", TEN, over={"plan": PEERS[loss]}, least=1.0) for loss in LOSSES),
        *(Wanted(f"memory, over that of RecTools with {loss}", TEN, "MB", over={"plan": PEERS[loss]}, most=1.0) for loss in LOSSES),
    ],
)

if __name__ == "__main__":
    BENCHMARK.main()
