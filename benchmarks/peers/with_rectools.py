"""RecTools, run in an environment of its own: `python with_rectools.py JOB`. See _peers.py for what lies in the folder."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import rectools
import torch
from pytorch_lightning import seed_everything
from rectools import Columns
from rectools.dataset import Dataset
from rectools.fast_transformers import UniSRecModel
from rectools.models import SASRecModel


def main(folder: Path) -> None:
    job = json.loads((folder / "job.json").read_text())
    torch.set_num_threads(job["threads"])
    torch.set_flush_denormal(True)
    seed_everything(job["seed"])
    train, cases = (pd.read_csv(folder / f"{name}.csv") for name in ("train", "cases"))
    options = dict(job["options"])
    if job["quick"]:
        options |= {"epochs": 1, "n_factors": 32, "n_blocks": 1}
    if job["model"] == "UniSRec":
        lists, fitted, recommended = unisrec(options, train, cases, torch.from_numpy(np.load(folder / "vectors.npy")), job["k"])
    else:
        lists, fitted, recommended = sasrec(options, train, cases, job["k"])
    lists.to_csv(folder / "lists.csv", index=False)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    facts = {"version": rectools.__version__, "seconds to fit": fitted, "seconds to recommend": recommended, "MB": peak}
    facts |= {"seconds an epoch": fitted / options["epochs"]}
    (folder / "done.json").write_text(json.dumps(facts))


def sasrec(options: dict[str, Any], train: pd.DataFrame, cases: pd.DataFrame, k: int) -> tuple[pd.DataFrame, float, float]:
    moments = pd.Timestamp("2020-01-01") + pd.to_timedelta(range(len(train)), unit="s")  # the order is all that is known
    events = train.rename(columns={"user": Columns.User, "item": Columns.Item}).assign(**{Columns.Weight: 1.0, Columns.Datetime: moments})
    dataset = Dataset.construct(events)
    model = SASRecModel(**options, verbose=0, deterministic=False, recommend_torch_device="cpu")
    began = time.perf_counter()
    model.fit(dataset)
    fitted = time.perf_counter()
    known = cases[cases["user"].isin(set(events[Columns.User]))]
    told = model.recommend(users=known["user"].unique(), dataset=dataset, k=k, filter_viewed=True, on_unsupported_targets="ignore")
    done = time.perf_counter()
    lists = known.merge(told, left_on="user", right_on=Columns.User)
    return pd.DataFrame({"row": lists["row"], "item": lists[Columns.Item], "place": lists[Columns.Rank]}), fitted - began, done - fitted


def unisrec(options: dict[str, Any], train: pd.DataFrame, cases: pd.DataFrame, vectors: torch.Tensor, k: int) -> tuple[pd.DataFrame, float, float]:
    """Items without training events too: its own ``recommend`` leaves them out, its adaptor reads any vector. After the list over the whole catalogue
    come the best of the items without events, at later places."""
    users, items = (torch.from_numpy(train[name].to_numpy()) for name in ("user", "item"))
    padded = torch.cat([torch.zeros(1, vectors.shape[1]), vectors])  # its item 0 is padding
    model = UniSRecModel(padded, **options, device="cpu")
    began = time.perf_counter()
    model.fit(users, items + 1, torch.arange(len(train)))
    fitted = time.perf_counter()
    net, length = model._net.eval(), options["session_max_len"]
    place = torch.zeros(len(padded), dtype=torch.long)
    place[model._unique_items] = torch.arange(1, len(model._unique_items) + 1)
    new = torch.ones(len(vectors), dtype=torch.bool)
    new[items] = False
    histories = {user: torch.from_numpy(part["item"].to_numpy()) for user, part in train.groupby("user")}
    known = cases[cases["user"].isin(histories.keys())]
    parts = []
    with torch.inference_mode():
        targets = net._adapt_score(vectors)  # [items, width]
        for begin in range(0, len(known), 256):
            part = known.iloc[begin : begin + 256]
            asked = torch.zeros(len(part), length, dtype=torch.long)
            for row, user in enumerate(part["user"]):
                last = histories[user][-length:]
                asked[row, length - len(last) :] = place[last + 1]
            scores = net.encode_last(asked) @ targets.T
            for row, user in enumerate(part["user"]):
                scores[row, histories[user]] = -torch.inf
            best = scores.topk(k).indices
            fresh = scores.masked_fill(~new, -torch.inf).scatter(1, best, -torch.inf).topk(min(k, max(int(new.sum()) - k, 0))).indices
            shown = torch.cat([best, fresh], dim=1)
            parts.append(
                np.stack([np.repeat(part["row"], shown.shape[1]), shown.ravel(), np.tile(np.arange(1, shown.shape[1] + 1), len(part))], axis=1)
            )
    return pd.DataFrame(np.concatenate(parts), columns=["row", "item", "place"]), fitted - began, time.perf_counter() - fitted


if __name__ == "__main__":
    main(Path(sys.argv[1]))
