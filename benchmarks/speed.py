"""Speed on this machine: events a second in training on Amazon Beauty at width 128 and length 50, and what a query takes.

    GERMANE_DATA=... python benchmarks/speed.py
    python benchmarks/speed.py --quick    # a rehearsal on few users

The recipe configs/beauty.toml, once as it is and once without texts and attributes (identity alone, as SASRec has it). Seconds of an epoch are those
of the steps alone, mean of the epochs after the first; events are what is learnt from: all training events but each user's first. A query is
``recommend`` for one known user, reasons left out, ten items, median and 95th percentile of 300; also 64 users at once. With ``--peers``, an epoch of
RecTools' SASRec of the same size with its 256 negatives a position (benchmarks/peers/).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _claims import Wanted
from _harness import Benchmark
from _plans import Plan, Row, measured, recipe

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
        stamps: dict[int, list[float]] = {}

        def stamp(epoch: int, step: int, steps: int, loss: float, figure: float | None) -> None:
            stamps.setdefault(epoch, []).append(time.perf_counter())

        told = fit(recommender, dataset, split, config.training, evaluation=config.evaluation, progress=stamp)
        ends = [stamps[epoch][-2] for epoch in sorted(stamps)]  # the last but one call is the last step's, the last the epoch's
        seconds = float(np.mean(np.diff(ends)))
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


def peers_epoch(seed: int, folder: Path, quick: bool) -> list[Row]:
    """RecTools' SASRec of the same size: one fit of one epoch and one of three, so that what comes once falls out of the difference."""
    from _peers import Peer, environment, timed_fit
    from _tables import rehearsal

    peer = Peer("rectools", "SASRec")
    said = recipe("beauty")(seed, folder) | {"split": {"use": "LeaveLastOut", "validation": 0}}
    said = rehearsal(said, folder, 200) if quick else said
    same = {"n_factors": 128, "n_blocks": 1, "session_max_len": 50, "batch_size": 256, "n_negatives": 256}
    options = {name: values[0] for name, values in peer.said["SASRec"].items()} | same
    python = environment(peer.library, peer.said["requirements"])
    took = {epochs: timed_fit(python, peer, {**options, "epochs": epochs}, said, folder, seed) for epochs in (1, EPOCHS)}
    events = took[1].pop("events")
    seconds = (took[EPOCHS]["seconds to fit"] - took[1]["seconds to fit"]) / (EPOCHS - 1)
    return [measured("rectools SASRec", {"seconds an epoch": seconds, "events a second": events / seconds})]


BENCHMARK = Benchmark(
    __file__,
    "Speed",
    plans=[
        Plan("identity alone", measure=timed(False), needs="Beauty"),
        Plan("with texts and attributes", measure=timed(True), needs="Beauty"),
        Plan("rectools SASRec", measure=peers_epoch, needs="Beauty", only_with_peers=True),
    ],
    metrics=("events a second", "seconds an epoch", "seconds to encode", "ms a query", "ms a query, 95th percentile", "queries a second, 64 at once"),
    wanted=[
        Wanted("identity alone, seconds an epoch (on two cores)", "identity alone", "seconds an epoch", most=9),
        Wanted("with texts and attributes, ms a query", "with texts and attributes", "ms a query", most=20),
    ],
)

if __name__ == "__main__":
    BENCHMARK.main()
