"""RecBole, run in an environment of its own: `python with_recbole.py JOB`. See _peers.py for what lies in the folder."""

from __future__ import annotations

import json
import logging
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import recbole
import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.utils import get_model, get_trainer, init_seed

SEQUENTIAL = {"GRU4Rec"}


def main(folder: Path) -> None:
    logging.disable(logging.CRITICAL)
    job = json.loads((folder / "job.json").read_text())
    torch.set_num_threads(job["threads"])
    (folder / "job").mkdir()
    fitted, done = (clicks if job["kind"] == "click" else lists)(folder, job)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    facts = {"version": recbole.__version__, "seconds to fit": fitted, "seconds to recommend": done, "MB": peak}
    (folder / "done.json").write_text(json.dumps(facts))


def lists(folder: Path, job: dict[str, Any]) -> tuple[float, float]:
    train, cases = (np.loadtxt(folder / f"{name}.csv", delimiter=",", skiprows=1, dtype=np.int64, ndmin=2) for name in ("train", "cases"))
    taken: dict[int, list[int]] = {}
    for user, item in train.tolist():
        taken.setdefault(user, []).append(item)
    said: dict[str, Any] = {"load_col": {"inter": ["user_id", "item_id"]}}
    if job["model"] in SEQUENTIAL:
        said = {"load_col": {"inter": ["user_id", "item_id_list", "item_id"]}, "alias_of_item_id": ["item_id_list"], "train_neg_sample_args": None}
        longest = job["options"]["MAX_ITEM_LIST_LENGTH"]
        head = "user_id:token\titem_id_list:token_seq\titem_id:token\n"
        lines = [
            f"{user}\t{' '.join(map(str, items[max(0, place - longest) : place]))}\t{items[place]}\n"
            for user, items in taken.items()
            for place in range(1, len(items))
        ]
    else:
        head, lines = "user_id:token\titem_id:token\n", [f"{user}\t{item}\n" for user, item in train]
    write(folder, head, lines, lines[:1])  # RecBole wants held-out parts; neither is looked at
    model, dataset, _, fitted = fit(folder, job, said)
    began = time.perf_counter()
    rows = recommend(model, dataset, taken, cases, job)
    np.savetxt(folder / "lists.csv", rows, fmt="%d", delimiter=",", header="row,item,place", comments="")
    return fitted, time.perf_counter() - began


def clicks(folder: Path, job: dict[str, Any]) -> tuple[float, float]:
    """Labelled rows of fields; the cases are its test part, whose labels nobody asks for."""
    names = (folder / "train.csv").read_text().partition("\n")[0].split(",")[1:]
    called = {"user": "user_id", "item": "item_id"}
    fields = [called.get(name, f"field{n}") for n, name in enumerate(names)]
    kinds = ["token" if name in called or name.endswith(":category") else "float" for name in names]
    head = "label:float\t" + "\t".join(f"{field}:{kind}" for field, kind in zip(fields, kinds, strict=True)) + "\n"
    lines = {}
    for part in ("train", "cases"):
        rows = (line.rstrip("\n").split(",") for line in (folder / f"{part}.csv").open())
        next(rows)
        lines[part] = ["\t".join(["0" if part == "cases" else row[0], *row[1:]]) + "\n" for row in rows]
    write(folder, head, lines["train"], lines["cases"])
    labelled = {"load_col": {"inter": ["label", *fields]}, "LABEL_FIELD": "label", "train_neg_sample_args": None}
    numbers = [field for field, kind in zip(fields, kinds, strict=True) if kind == "float"]
    labelled |= {"numerical_features": numbers, "eval_args": {"mode": "labeled"}, "metrics": ["AUC"], "valid_metric": "AUC"}
    model, _, test, fitted = fit(folder, job, labelled)
    began = time.perf_counter()
    model.eval()
    with torch.no_grad():
        scores = torch.cat([model.predict(test[begin : begin + 4096]) for begin in range(0, len(test), 4096)])
    rows = np.loadtxt(folder / "cases.csv", delimiter=",", skiprows=1, usecols=0, dtype=np.int64, ndmin=1)
    np.savetxt(folder / "scores.csv", np.column_stack([rows, scores.cpu().numpy()]), fmt="%d,%.9g", header="row,score", comments="")
    return fitted, time.perf_counter() - began


def write(folder: Path, head: str, train: list[str], test: list[str]) -> None:
    for part, lines in (("train", train), ("valid", train[:1]), ("test", test)):
        (folder / "job" / f"job.{part}.inter").write_text(head + "".join(lines))


def fit(folder: Path, job: dict[str, Any], more: dict[str, Any]) -> tuple[torch.nn.Module, Any, Any, float]:
    """The model, its data set, the rows of the test part in their order, and seconds."""
    options = {**job["options"], **({"epochs": 1} if job["quick"] else {})}
    said = {
        "data_path": str(folder),
        "benchmark_filename": ["train", "valid", "test"],
        "seed": job["seed"],
        "use_gpu": False,
        "gpu_id": "",
        "show_progress": False,
        "log_wandb": False,
        "checkpoint_dir": str(folder / "saved"),
        **more,
        **options,
    }
    config = Config(model=job["model"], dataset="job", config_dict=said)
    init_seed(config["seed"], config["reproducibility"])
    dataset = create_dataset(config)
    parts = data_preparation(config, dataset)
    model = get_model(config["model"])(config, parts[0].dataset)
    trainer = get_trainer(config["MODEL_TYPE"], config["model"])(config, model)
    began = time.perf_counter()
    trainer.fit(parts[0], saved=False, show_progress=False)
    return model, dataset, parts[2].dataset.inter_feat, time.perf_counter() - began


def recommend(model: torch.nn.Module, dataset: Any, taken: dict[int, list[int]], cases: np.ndarray, job: dict[str, Any]) -> np.ndarray:
    """row, item, place of the first ``k`` that the user did not take in training."""
    users, tokens = dataset.field2token_id["user_id"], dataset.field2id_token["item_id"]
    own = {int(token): code for code, token in enumerate(tokens) if code}
    model.eval()
    out = []
    with torch.no_grad():
        for row, user in cases.tolist():
            if user not in taken or str(user) not in users:
                continue
            seen = [own[item] for item in taken[user] if item in own]
            if job["model"] in SEQUENTIAL:
                last = seen[-job["options"]["MAX_ITEM_LIST_LENGTH"] :]
                asked = {"item_id_list": torch.tensor([last]), "item_length": torch.tensor([len(last)])}
                scores = model.full_sort_predict(asked).ravel().clone()
            else:
                scores = of_all(model, users[str(user)], len(tokens))
            scores[0] = scores[seen] = -torch.inf
            best = scores.topk(min(job["k"], len(scores))).indices.tolist()
            out += [(row, int(tokens[code]), place) for place, code in enumerate(best, 1)]
    return np.array(out, dtype=np.int64).reshape(-1, 3)


def of_all(model: torch.nn.Module, user: int, n_items: int) -> torch.Tensor:
    """[items]; some models score pairs alone."""
    try:
        return model.full_sort_predict({"user_id": torch.tensor([user])}).ravel().clone()
    except NotImplementedError:
        return model.predict({"user_id": torch.full((n_items,), user), "item_id": torch.arange(n_items)}).ravel().clone()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
