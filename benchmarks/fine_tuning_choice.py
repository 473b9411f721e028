"""Which LoRA? Chosen on a development fold of Amazon Beauty; the test part of fine_tuning.py is never looked at.

    GERMANE_DATA=... python benchmarks/fine_tuning_choice.py
    python benchmarks/fine_tuning_choice.py --quick    # a rehearsal

Texts alone, as in fine_tuning.py, whose settings are the plans "frozen", "lora" and "top:2". The fold is Beauty without each user's last event and
without the items that are new there (``crc32(id) % 10 == 0``); those with ``crc32(id) % 10 == 2`` are new in it, and of what is left each user's last
event is held out. The other plans change one or two things of "lora": its rate, or which maps learn and in how many numbers (all maps of the two
top layers, rank 16). "shelf" and "new" are as there, one seed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from zlib import crc32

from _harness import Benchmark
from _plans import Plan
from fine_tuning import new_items, tuned

FROZEN = "frozen"
EVERY = {"targets": "all-linear", "rank": 16, "alpha": 32}
CHANGES: dict[str, tuple[float, dict[str, Any]]] = {
    "lora": (1e-3, {}),
    "lora at 3e-4": (3e-4, {}),
    "lora at 3e-3": (3e-3, {}),
    "lora of all maps": (1e-3, EVERY),
    "lora of all maps at 3e-4": (3e-4, EVERY),
    "top:2": (5e-5, {}),
}
"""The rate of the language model, and what else differs."""


def sections(name: str) -> Callable[[int, Path], dict[str, Any]]:
    def said(seed: int, folder: Path) -> dict[str, Any]:
        rate, changes = CHANGES.get(name, (0.0, {}))
        made = tuned(name.partition(" ")[0], alone=True)(seed, folder)
        made["text"] = {**made["text"], **changes}
        if name != FROZEN:
            made["training"]["learning_rate"] = {**made["training"]["learning_rate"], "text": rate}
        return {**made, "data": fold(made, folder), "split": {"use": "Given"}}

    return said


def fold(said: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The ``[data]`` section of the development fold."""
    import polars as pl
    from _tables import as_files, events_of, opened

    dataset, _ = opened(said, folder)
    tenth = pl.col("item").map_elements(lambda name: crc32(name.encode()) % 10, return_dtype=pl.Int64)
    back = pl.int_range(pl.len(), 0, -1).over("user")  # 1 is the last
    events = events_of(dataset).with_columns(tenth=tenth).filter(back > 1).filter(pl.col("tenth") != 0)
    part = pl.when(back == 1).then(pl.lit("test")).when(back == 2).then(pl.lit("validation")).otherwise(pl.lit("train"))
    events = events.with_columns(split=part).filter((pl.col("tenth") != 2) | (pl.col("split") == "test")).drop("tenth")
    data = as_files(dataset, folder, events)
    items = pl.read_parquet(folder / data["items"]).rename({"id": "item"})
    items.filter(tenth != 0).rename({"item": "id"}).write_parquet(folder / data["items"])
    del data["rules"]["hold_out_items"]
    return data


BENCHMARK = Benchmark(
    __file__,
    "Fine-tuning: which LoRA, on a development fold",
    plans=[
        Plan(name, sections(name), beside=new_items, needs="Beauty", against=None if name == FROZEN else FROZEN, seeds=(0,), rehearsed=name == "lora")
        for name in (FROZEN, *CHANGES)
    ],
    metrics=("shelf", "new", "ndcg@10", "share", "s an epoch"),
)

if __name__ == "__main__":
    BENCHMARK.main()
