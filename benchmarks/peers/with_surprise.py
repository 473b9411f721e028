"""Surprise, run in an environment of its own: `python with_surprise.py JOB`. See _peers.py for what lies in the folder."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np
import surprise
from surprise import SVD, Dataset, Reader


def main(folder: Path) -> None:
    job = json.loads((folder / "job.json").read_text())
    # Its target or row, then user and item; of other columns this library knows nothing.
    train, cases = (np.loadtxt(folder / f"{name}.csv", delimiter=",", skiprows=1, usecols=(0, 1, 2), ndmin=2) for name in ("train", "cases"))
    scale = Reader(rating_scale=(train[:, 0].min(), train[:, 0].max()))
    known = Dataset(scale).construct_trainset([(int(user), int(item), value, None) for value, user, item in train])
    options = {**job["options"], **({"n_epochs": 2} if job["quick"] else {})}
    model = SVD(**options, random_state=job["seed"])
    began = time.perf_counter()
    model.fit(known)
    fitted = time.perf_counter()
    scores = [model.predict(int(user), int(item)).est for _, user, item in cases]
    done = time.perf_counter()
    np.savetxt(folder / "scores.csv", np.column_stack([cases[:, 0], scores]), fmt="%d,%.9g", header="row,score", comments="")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    facts = {"version": surprise.__version__, "seconds to fit": fitted - began, "seconds to score": done - fitted, "MB": peak}
    (folder / "done.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
