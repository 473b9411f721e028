"""LensKit, run in an environment of its own: `python with_lenskit.py JOB`. See _peers.py for what lies in the folder."""

from __future__ import annotations

import json
import resource
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pandas as pd
from lenskit import recommend, topn_pipeline
from lenskit.data import from_interactions_df
from lenskit.knn import UserKNNScorer
from lenskit.parallel import initialize


def main(folder: Path) -> None:
    job = json.loads((folder / "job.json").read_text())
    initialize(processes=1, threads=job["threads"], backend_threads=1)
    train, cases = (pd.read_csv(folder / f"{name}.csv") for name in ("train", "cases"))
    known = from_interactions_df(train.drop_duplicates(), user_col="user", item_col="item")
    pipeline = topn_pipeline(UserKNNScorer(**job["options"], feedback="implicit"), n=job["k"])  # what a user took is no candidate
    began = time.perf_counter()
    pipeline.train(known)
    fitted = time.perf_counter()
    with (folder / "lists.csv").open("w") as out:
        out.write("row,item,place\n")
        for row, user in cases[cases["user"].isin(set(train["user"]))].itertuples(index=False):
            told = recommend(pipeline, int(user), job["k"])
            out.writelines(f"{row},{item},{place}\n" for place, item in enumerate(told.ids(), 1))
    done = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    facts = {"version": version("lenskit"), "seconds to fit": fitted - began, "seconds to recommend": done - fitted, "MB": peak}
    (folder / "done.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
