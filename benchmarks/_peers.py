"""Other libraries on the same split: each in an environment of its own, tuned on validation, judged by our code from the lists or scores it writes.

A peer is two files of benchmarks/peers/: ``NAME.toml`` pins what its environment holds and says the grid that trials are drawn from, ``with_NAME.py``
is run by that environment's Python and knows nothing of Germane. Between them lies a folder: train.csv, cases.csv and job.json go in, and
vectors.npy for those that read texts; lists.csv (row, item, place) or scores.csv (row, score) comes out. Users and items are numbers.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

HERE = Path(__file__).resolve().parent
FOLDER = HERE / "peers"
TRIALS = 9
"""Of every peer and of every rival here, the first being the values that stand first in the grid."""
REHEARSED = 2
LENGTH = 10
"""Of the lists that a peer writes, what its users took before left out."""

Sections = dict[str, Any]
Row = dict[str, Any]


@dataclass(frozen=True)
class Peer:
    """One model of another library."""

    library: str
    model: str
    """A table of its TOML."""
    kind: Literal["lists", "click", "rating"] = "lists"
    reads_texts: bool = False
    """Whether it is given the vectors of the items' texts that our own model is given, as the language model has them."""

    @property
    def said(self) -> dict[str, Any]:
        return tomllib.loads((FOLDER / f"{self.library}.toml").read_text(encoding="utf-8"))

    @property
    def grid_hash(self) -> str:
        said = self.said
        return hashlib.sha256(json.dumps([said["requirements"], said[self.model], TRIALS], sort_keys=True).encode()).hexdigest()[:16]


def drawn(grid: dict[str, list[Any]], trials: int) -> list[dict[str, Any]]:
    """So many different settings, the first of each option's values first."""
    import numpy as np

    every = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    order = np.random.default_rng(0).permutation(np.arange(1, len(every)))[: trials - 1]
    return [every[0], *(every[int(place)] for place in order)]


def environment(library: str, requirements: list[str]) -> Path:
    """The Python of the peer's own environment in the cache folder; made on the first call, by pip. torch is the CPU build, as in our own."""
    from germane.data.fetch import cache_folder

    made_of = hashlib.sha256(json.dumps(requirements).encode()).hexdigest()[:12]
    home = cache_folder() / "peers" / f"{library}-{made_of}"
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if (home / "whole").exists():
        return python
    shutil.rmtree(home, ignore_errors=True)
    print(f"Making an environment for {library} (once): {', '.join(requirements)}.", flush=True)
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
    root = HERE.parent
    if any(line.startswith("torch==") for line in requirements):
        subprocess.run([str(python), str(root / "scripts" / "install_torch.py"), str(root / "constraints.txt")], check=True)
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements], check=True)
    (home / "whole").touch()
    return python


def run_peer(peer: Peer, sections: Sections, folder: Path, seed: int, quick: bool, chosen: dict[str, Any] | None) -> tuple[Any, Any, dict[str, Any]]:
    """Tune, then judge on the test part: the data set, what was ``Judged``, and facts. ``chosen``: by an earlier run, and then not tuned again."""
    from germane.config import Config

    said = peer.said
    python = environment(peer.library, said["requirements"])
    config = Config.of(sections, folder)
    dataset = config.dataset()
    tuning, final, part = _splits(config, dataset)
    trials: list[dict[str, Any]] = []
    if chosen is None:
        for options in drawn(said[peer.model], REHEARSED if quick else TRIALS):
            began = time.perf_counter()
            judged, _ = _job(python, peer, options, config, dataset, tuning, "validation", seed, folder, quick)
            metric = {"lists": "ndcg@10", "click": "auc", "rating": "rmse"}[peer.kind]
            trials.append({"options": options, metric: judged.value(metric), "seconds": round(time.perf_counter() - began, 1)})
            print(f"  {peer.model} {options}: {metric} {trials[-1][metric]:.4f} on validation", flush=True)
        best = min if peer.kind == "rating" else max
        chosen = best(trials, key=lambda trial: trial[metric])["options"]
    judged, facts = _job(python, peer, chosen, config, dataset, final, part, seed, folder, quick)
    return dataset, judged, {"chosen": chosen, "trials": trials, "peer": {**facts, "requirements": said["requirements"]}}


def _splits(config: Any, dataset: Any) -> tuple[Any, Any, str]:
    """For tuning; for the last training, which has the validation events too; and the part that judges. Without a test part, validation judges."""
    import numpy as np

    from germane.data import Split

    split = config.split.divide(dataset)
    if not len(split.test):
        return split, split, "validation"
    tuning = split
    if not len(split.validation):
        tuning = type(config.split)(**{k: v for k, v in config.split.settings().items() if k != "validation"}).divide(dataset)
    whole = np.sort(np.concatenate([split.train, split.validation]))
    return tuning, Split(whole, split.validation[:0], split.test, split.name), "test"


def _job(
    python: Path,
    peer: Peer,
    options: dict[str, Any],
    config: Any,
    dataset: Any,
    split: Any,
    part: str,
    seed: int,
    folder: Path,
    quick: bool,
) -> tuple[Any, dict[str, Any]]:
    from _beside import judge_told

    place = folder / f"job-{len(list(folder.glob('job-*')))}"
    place.mkdir()
    rows = getattr(split, part)
    if peer.kind == "lists":
        _write_lists(dataset, split, rows, place)
        if peer.reads_texts:
            _write_vectors(config, dataset, place)
    else:
        _write_rows(peer, config, dataset, split, rows, place, seed)
    facts = _asked(python, peer, options, config, dataset, place, seed, quick)
    scores = _lists(place, dataset.n_items) if peer.kind == "lists" else _scores(place)
    head = "ranking" if peer.kind == "lists" else peer.kind
    judged = judge_told(dataset, split, part, config.evaluation, scores, f"{peer.library} {peer.model}", head, seed)
    shutil.rmtree(place)
    return judged, facts


def judged_fit(peer: Peer, options: dict[str, Any], sections: Sections, folder: Path, seed: int) -> tuple[Any, dict[str, Any]]:
    """One fit with these options, not tuned: what was ``Judged`` on the test part, and facts, with how many events it learns from: all but each
    user's first."""
    import numpy as np

    from germane.config import Config

    python = environment(peer.library, peer.said["requirements"])
    config = Config.of(sections, folder)
    dataset = config.dataset()
    split = config.split.divide(dataset)
    judged, facts = _job(python, peer, options, config, dataset, split, "test", seed, folder, False)
    return judged, {**facts, "events": len(split.train) - len(np.unique(dataset.user_codes[split.train]))}


def _asked(python: Path, peer: Peer, options: dict[str, Any], config: Any, dataset: Any, place: Path, seed: int, quick: bool) -> dict[str, Any]:
    """Run the peer on what lies in ``place``; what it says of itself."""
    import torch

    threads = config.training.threads or torch.get_num_threads()
    job = {"model": peer.model, "options": options, "kind": peer.kind, "seed": seed, "k": LENGTH, "threads": threads, "quick": quick}
    job |= {"users": dataset.n_users, "items": dataset.n_items}
    (place / "job.json").write_text(json.dumps(job))
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    command = [str(python), str(FOLDER / f"with_{peer.library}.py"), str(place)]
    # In its own folder: some libraries write logs wherever they are called from.
    done = subprocess.run(command, cwd=place, env=environ, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{peer.library} failed: {(done.stderr.strip().splitlines() or ['it said nothing'])[-1]}")
    facts: dict[str, Any] = json.loads((place / "done.json").read_text())
    return facts


def _write_lists(dataset: Any, split: Any, rows: Any, place: Path) -> None:
    """train.csv: user, item, in order of time; cases.csv: row, user."""
    import polars as pl

    taken = split.train[dataset.events["positive"].to_numpy()[split.train]]
    pl.DataFrame({"user": dataset.user_codes[taken], "item": dataset.item_codes[taken]}).write_csv(place / "train.csv")
    pl.DataFrame({"row": rows, "user": dataset.user_codes[rows]}).write_csv(place / "cases.csv")


def _write_vectors(config: Any, dataset: Any, place: Path) -> None:
    """vectors.npy: [items, width], by the item's number."""
    import numpy as np

    reader = config.recommender(dataset)
    reader.prepare(dataset)
    np.save(place / "vectors.npy", reader.content.text.numpy())


def _write_rows(peer: Peer, config: Any, dataset: Any, split: Any, rows: Any, place: Path, seed: int) -> None:
    """train.csv: target, then codes of user, item, context, and the category columns of items and users; cases.csv: row, then the same codes.

    Of clicks without labels of 0, so many drawn negatives stand beside each positive as the recipe says, drawn once, as for our own models.
    """
    import numpy as np
    import polars as pl

    from germane.batches import EventTable, Rows, profiles
    from germane.features import FeatureSet

    target = "label" if peer.kind == "click" else "value"
    train, items = split.train, dataset.item_codes[split.train]
    truth = dataset.events[target].cast(pl.Float64).to_numpy()[train] if target in dataset.events.columns else np.ones(len(train))
    if peer.kind == "click" and not (truth == 0).any():
        nobody = FeatureSet([])
        table = EventTable(dataset, nobody, profile=profiles(nobody, dataset.users), visible=train)
        pool = np.arange(dataset.n_items) if config.training.unknown_as_negatives else np.unique(items)
        drawing = Rows(table, train, len(train), negatives=config.training.drawn("click"), pool=pool, redraw=False, seed=seed)
        against, others = drawing.fixed
        train, items = np.concatenate([train, against]), np.concatenate([items, others])
        truth = np.concatenate([np.ones(len(split.train)), np.zeros(len(against))])
    _features(dataset, train, items).insert_column(0, pl.Series("target", truth)).write_csv(place / "train.csv")
    _features(dataset, rows, dataset.item_codes[rows]).insert_column(0, pl.Series("row", rows)).write_csv(place / "cases.csv")


def _features(dataset: Any, rows: Any, items: Any) -> Any:
    """[rows] of category codes, -1 where nothing is said; numbers as they are."""
    import polars as pl

    users = dataset.user_codes[rows]
    columns = [pl.Series("user", users), pl.Series("item", items)]
    sources = [(dataset.events, rows, [f"context:{name}" for name in dataset.columns.moment])]
    sources += [(dataset.items, items, list(dataset.columns.side)), (dataset.users, users, list(dataset.columns.user_side))]
    for table, at, names in sources:
        for name in names:
            kind = dataset.types.get(name.removeprefix("context:"))
            if name not in table.columns or kind not in ("category", "number"):
                continue
            values = table[name]
            if kind == "category":
                distinct = values.unique().drop_nulls().sort()
                values = values.replace_strict(distinct, range(len(distinct)), return_dtype=pl.Int64, default=-1).fill_null(-1)
            else:
                values = values.cast(pl.Float64, strict=False).fill_null(-1)
            columns.append(values.gather(at).alias(f"{name}" if kind == "number" else f"{name}:category"))
    return pl.DataFrame(columns)


def _lists(place: Path, n_items: int) -> Any:
    """Rows -> [rows, items]: higher places score higher, what is in no list not at all."""
    import numpy as np
    import polars as pl

    told = pl.read_csv(place / "lists.csv")
    lists = {row: part for (row,), part in told.partition_by("row", as_dict=True).items()}

    def scores(rows: Any) -> Any:
        out = np.full((len(rows), n_items), -np.inf)
        for n, row in enumerate(rows):
            part = lists.get(int(row))
            if part is not None:
                out[n, part["item"].to_numpy()] = -part["place"].to_numpy().astype(float)
        return out

    return scores


def _scores(place: Path) -> Any:
    import polars as pl

    told = pl.read_csv(place / "scores.csv")
    found = dict(zip(told["row"].to_list(), told["score"].to_list(), strict=True))
    return lambda rows: [found[int(row)] for row in rows]
