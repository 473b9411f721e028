"""RecTools, run in an environment of its own: `python with_rectools.py JOB`. See _peers.py for what lies in the folder."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

import pandas as pd
import rectools
import torch
from pytorch_lightning import seed_everything
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel


def main(folder: Path) -> None:
    job = json.loads((folder / "job.json").read_text())
    torch.set_num_threads(job["threads"])
    torch.set_flush_denormal(True)
    seed_everything(job["seed"])
    train, cases = (pd.read_csv(folder / f"{name}.csv") for name in ("train", "cases"))
    moments = pd.Timestamp("2020-01-01") + pd.to_timedelta(range(len(train)), unit="s")  # the order is all that is known
    events = train.rename(columns={"user": Columns.User, "item": Columns.Item}).assign(**{Columns.Weight: 1.0, Columns.Datetime: moments})
    dataset = Dataset.construct(events)
    options = dict(job["options"])
    if job["quick"]:
        options |= {"epochs": 1, "n_factors": 32, "n_blocks": 1}
    model = SASRecModel(**options, verbose=0, deterministic=False, recommend_torch_device="cpu")
    began = time.perf_counter()
    model.fit(dataset)
    fitted = time.perf_counter()
    known = cases[cases["user"].isin(set(events[Columns.User]))]
    told = model.recommend(users=known["user"].unique(), dataset=dataset, k=job["k"], filter_viewed=True, on_unsupported_targets="ignore")
    done = time.perf_counter()
    lists = known.merge(told, left_on="user", right_on=Columns.User)
    lists = pd.DataFrame({"row": lists["row"], "item": lists[Columns.Item], "place": lists[Columns.Rank]})
    lists.to_csv(folder / "lists.csv", index=False)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    facts = {"version": rectools.__version__, "seconds to fit": fitted - began, "seconds to recommend": done - fitted, "MB": peak}
    facts |= {"seconds an epoch": (fitted - began) / options["epochs"]}
    (folder / "done.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
