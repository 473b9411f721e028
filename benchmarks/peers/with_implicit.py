"""implicit, run in an environment of its own: `python with_implicit.py JOB`. See _peers.py for what lies in the folder."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

import implicit
import numpy as np
from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking
from implicit.nearest_neighbours import BM25Recommender
from scipy.sparse import csr_matrix


def main(folder: Path) -> None:
    job = json.loads((folder / "job.json").read_text())
    train, cases = (np.loadtxt(folder / f"{name}.csv", delimiter=",", skiprows=1, dtype=np.int64, ndmin=2) for name in ("train", "cases"))
    counts = csr_matrix((np.ones(len(train), dtype=np.float32), (train[:, 0], train[:, 1])), shape=(job["users"], job["items"]))
    counts.sum_duplicates()
    options = dict(job["options"])
    if job["quick"]:
        options |= {"iterations": 2} if "iterations" in options else {}
    seeded = {"random_state": job["seed"], "num_threads": job["threads"]}
    kinds = {
        "ALS": lambda: AlternatingLeastSquares(**options, **seeded),
        "BPR": lambda: BayesianPersonalizedRanking(**options, **seeded),
        "BM25": lambda: BM25Recommender(**options, num_threads=job["threads"]),
    }
    model = kinds[job["model"]]()
    began = time.perf_counter()
    model.fit(counts, show_progress=False)
    fitted = time.perf_counter()
    users = cases[:, 1]
    items, scores = model.recommend(users, counts[users], N=min(job["k"], job["items"]), filter_already_liked_items=True)
    done = time.perf_counter()
    rows = np.repeat(cases[:, 0], items.shape[1])
    places = np.tile(np.arange(1, items.shape[1] + 1), len(items))
    shown = (items.ravel() >= 0) & np.isfinite(scores.ravel()) & (scores.ravel() > np.finfo(np.float32).min)  # what is filtered has the least score
    table = np.stack([rows, items.ravel(), places], axis=1)[shown]
    np.savetxt(folder / "lists.csv", table, fmt="%d", delimiter=",", header="row,item,place", comments="")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    facts = {"version": implicit.__version__, "seconds to fit": fitted - began, "seconds to recommend": done - fitted, "MB": peak}
    (folder / "done.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
