"""How much of the language model learns: the recipe configs/lora.toml with each kind of tuning, beside the frozen model. Amazon Beauty, three seeds.

    GERMANE_DATA=... python benchmarks/fine_tuning.py
    GERMANE_DATA=... python benchmarks/fine_tuning.py --plans "frozen, texts alone" "top:2, texts alone"
    python benchmarks/fine_tuning.py --quick    # a rehearsal

One item in ten is out of training altogether (``crc32(id) % 10 == 0``): the text has to speak for it. "shelf" is NDCG@10 among the new items alone,
"new" over the whole catalogue; both are of users whose held-out event is on a new item, and p is that of a paired test of them against the frozen
model of the same seed. "share" is that of the language model's numbers which learn, "MB" the peak of the process, "file MB" what the run keeps of the
tuning beside the frozen weights. Six epochs without ``refit``, of which the language model learns in the last three. The plans come twice: with
identities and side features, and with **texts alone**, where items have nothing else to learn by.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from _claims import Wanted
from _harness import Benchmark
from _plans import Plan, recipe

FROZEN, ALONE = "frozen", "texts alone"
TEXT_RATES = {"lora": 1e-3, "adapter": 1e-3, "prefix": 3e-3, "top:2": 5e-5, "full": 1e-5}
"""The usual length of a step for each kind: the more it changes, the shorter."""
LATER = {"frozen_epochs": 3, "refreshes": 4}
ON_TOP = {"layers": 2, "fresh": 256}
"""Layers below the two on top are gone through once, so there is time for more texts a step."""
MORE: dict[str, dict[str, Any]] = {"lora": ON_TOP, "adapter": ON_TOP, "prefix": ON_TOP, "top:2": {"fresh": 256}}
NO_SIDE = {"columns": {"side": []}}


def tuned(tuning: str, *, alone: bool = False) -> Any:
    def sections(seed: int, folder: Path) -> dict[str, Any]:
        said = recipe("lora")(seed, folder)
        text = {"use": "PretrainedText", "tuning": tuning, **(LATER if tuning != FROZEN else {}), **MORE.get(tuning, {})}
        rate = {"text": TEXT_RATES[tuning], "rest": 3e-3} if tuning != FROZEN else 3e-3
        said = {**said, "text": text, "training": {**said["training"], "learning_rate": rate, "epochs": 6, "refit": False}}
        return {**said, "data": {**said["data"], **NO_SIDE}, "model": {**said["model"], "identity": False}} if alone else said

    return sections


def new_items(trained: Any) -> None:
    """Figures of the users whose held-out event is on a new item, one by one for the paired test, and what the tuning took."""
    import json

    import numpy as np
    import polars as pl

    from germane.evaluation import cases_of, judge_cases
    from germane.jobs.memory import peak_mb

    ours, options = trained.recommender, trained.config.evaluation
    cases = cases_of(ours, trained.dataset, trained.learnt, trained.part, options)
    rows = trained.judged.cases
    new = rows.filter(pl.Series(~cases.known_items[rows["item"].to_numpy()])).group_by("user").agg(new=pl.col("ndcg@10").mean())
    shelf = judge_cases(ours.model, cases, options, among=~cases.known_items).group_by("user").agg(shelf=pl.col("ndcg@10").mean())
    both = new.join(shelf, on="user", how="full", coalesce=True).sort("user")
    users = both.with_columns(user=trained.dataset.users["id"].gather(both["user"]))
    file = trained.run / "per_user.parquet"
    pl.read_parquet(file).join(users, on="user", how="left").write_parquet(file)
    about = json.loads((trained.run / "about.json").read_text())
    sizes, kept = about["parameters"], trained.run / "text.safetensors"
    first = next(row for row in trained.rows if row["segment"] == "all")
    for name in ("shelf", "new"):
        first["metrics"][name] = {"value": float(np.mean(both[name].drop_nulls().to_numpy()))}
    first["metrics"] |= {
        "share": {"value": sizes["text_trainable"] / max(sizes["text_total"], 1)},
        "s an epoch": {"value": about["seconds"]["train"] / max(len(about["curve"]), 1)},
        "MB": {"value": float(peak_mb())},
        "file MB": {"value": kept.stat().st_size / 1e6 if kept.exists() else 0.0},
    }


def called(tuning: str, alone: bool) -> str:
    return f"{tuning}, {ALONE}" if alone else tuning


def plan(tuning: str, alone: bool) -> Plan:
    against = None if tuning == FROZEN else called(FROZEN, alone)
    rehearsed = tuning in (FROZEN, "lora") and not alone
    return Plan(called(tuning, alone), tuned(tuning, alone=alone), beside=new_items, needs="Beauty", against=against, rehearsed=rehearsed)


def ahead(tuning: str, alone: bool) -> Wanted:
    says = f"NDCG@10 on the shelf of new items, {called(tuning, alone)}, over frozen"
    return Wanted(says, called(tuning, alone), metric="shelf", over={"plan": called(FROZEN, alone)}, least=1.0, p_below=0.05)


BENCHMARK = Benchmark(
    __file__,
    "Fine-tuning the language model: Amazon Beauty, new items",
    plans=[plan(tuning, alone) for alone in (False, True) for tuning in (FROZEN, *TEXT_RATES)],
    metrics=("shelf", "new", "ndcg@10", "share", "s an epoch", "MB", "file MB"),
    segments=("all", "sparse users"),
    wanted=[
        *(ahead(tuning, alone) for alone in (False, True) for tuning in ("lora", "top:2")),
        Wanted("share of the language model that LoRA trains", called("lora", True), metric="share", most=0.01),
        Wanted("share of the language model that top:2 trains", called("top:2", True), metric="share", most=0.16),
        Wanted("MB at the peak, full", "full", metric="MB", most=4096),
    ],
)

if __name__ == "__main__":
    BENCHMARK.main()
