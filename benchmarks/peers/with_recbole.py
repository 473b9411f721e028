"""RecBole, run in an environment of its own: `python with_recbole.py JOB`. See _peers.py for what lies in the folder."""

from __future__ import annotations

import json
import logging
import resource
import sys
import time
from pathlib import Path

import numpy as np
import recbole
import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.utils import get_model, get_trainer, init_seed


def main(folder: Path) -> None:
    logging.disable(logging.CRITICAL)
    job = json.loads((folder / "job.json").read_text())
    torch.set_num_threads(job["threads"])
    train, cases = (np.loadtxt(folder / f"{name}.csv", delimiter=",", skiprows=1, dtype=np.int64, ndmin=2) for name in ("train", "cases"))
    data = folder / "job"
    data.mkdir()
    lines = "user_id:token\titem_id:token\n" + "".join(f"{user}\t{item}\n" for user, item in train)
    (data / "job.train.inter").write_text(lines)
    for part in ("valid", "test"):  # RecBole wants both; neither is looked at
        (data / f"job.{part}.inter").write_text("".join(lines.splitlines(keepends=True)[:2]))
    options = {**job["options"], **({"epochs": 1} if job["quick"] else {})}
    said = {
        "data_path": str(folder),
        "benchmark_filename": ["train", "valid", "test"],
        "load_col": {"inter": ["user_id", "item_id"]},
        "seed": job["seed"],
        "use_gpu": False,
        "gpu_id": "",
        "show_progress": False,
        "log_wandb": False,
        "checkpoint_dir": str(folder / "saved"),
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
    fitted = time.perf_counter()
    rows = recommend(model, dataset, train, cases, job["k"])
    np.savetxt(folder / "lists.csv", rows, fmt="%d", delimiter=",", header="row,item,place", comments="")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    facts = {"version": recbole.__version__, "seconds to fit": fitted - began, "seconds to recommend": time.perf_counter() - fitted, "MB": peak}
    (folder / "done.json").write_text(json.dumps(facts))


def recommend(model: torch.nn.Module, dataset: object, train: np.ndarray, cases: np.ndarray, k: int) -> np.ndarray:
    """row, item, place of the first ``k`` that the user did not take in training."""
    users = dataset.field2token_id["user_id"]  # type: ignore[attr-defined]
    tokens = dataset.field2id_token["item_id"]  # type: ignore[attr-defined]
    own = {int(token): code for code, token in enumerate(tokens) if code}
    taken: dict[int, list[int]] = {}
    for user, item in train:
        taken.setdefault(int(user), []).append(own[int(item)])
    model.eval()
    out = []
    with torch.no_grad():
        for row, user in cases:
            if str(user) not in users:
                continue
            scores = of_all(model, users[str(user)], len(tokens))
            scores[0] = scores[taken.get(int(user), [])] = -torch.inf
            best = scores.topk(min(k, len(scores))).indices.tolist()
            out += [(int(row), int(tokens[code]), place) for place, code in enumerate(best, 1)]
    return np.array(out, dtype=np.int64).reshape(-1, 3)


def of_all(model: torch.nn.Module, user: int, n_items: int) -> torch.Tensor:
    """[items]; some models score pairs alone."""
    try:
        return model.full_sort_predict({"user_id": torch.tensor([user])}).ravel().clone()
    except NotImplementedError:
        return model.predict({"user_id": torch.full((n_items,), user), "item_id": torch.arange(n_items)}).ravel().clone()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
