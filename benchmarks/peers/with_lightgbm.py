"""LightGBM, run in an environment of its own: `python with_lightgbm.py JOB`. See _peers.py for what lies in the folder."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

import lightgbm
import numpy as np


def table(path: Path) -> tuple[list[str], np.ndarray]:
    with path.open() as lines:
        names = lines.readline().strip().split(",")
    return names, np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2)


def main(folder: Path) -> None:
    job = json.loads((folder / "job.json").read_text())
    names, train = table(folder / "train.csv")
    _, cases = table(folder / "cases.csv")
    options = dict(job["options"])
    rounds = 10 if job["quick"] else options["n_estimators"]
    fixed = {"objective": "binary" if job["kind"] == "click" else "regression", "seed": job["seed"], "num_threads": job["threads"], "verbose": -1}
    codes = [name for name in names[1:] if name in ("user", "item") or name.endswith(":category")]
    renamed = [name.replace(":", "_").replace(" ", "_") for name in names[1:]]
    categories = [renamed[names[1:].index(name)] for name in codes]
    data = lightgbm.Dataset(train[:, 1:], label=train[:, 0], feature_name=renamed, categorical_feature=categories, params={"verbose": -1})
    began = time.perf_counter()
    model = lightgbm.train({**{k: v for k, v in options.items() if k != "n_estimators"}, **fixed}, data, num_boost_round=rounds)
    fitted = time.perf_counter()
    scores = model.predict(cases[:, 1:])
    done = time.perf_counter()
    np.savetxt(folder / "scores.csv", np.column_stack([cases[:, 0], scores]), fmt="%d,%.9g", header="row,score", comments="")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    facts = {"version": lightgbm.__version__, "seconds to fit": fitted - began, "seconds to score": done - fitted, "MB": peak}
    (folder / "done.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
