"""Three trainings with different seeds, and what they say together. Not a benchmark itself."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

SEEDS = (0, 1, 2)


def run_seeds(
    result: Path, plans: Mapping[str, Callable[[int, Path], dict[str, Any]]], *, quick: bool, told: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Train and judge each plan (name -> config of a seed and a folder) with every seed; goes on where it was stopped. Writes after every run."""
    from germane.config import Config
    from germane.jobs.progress import training_bar
    from germane.jobs.run import train_run

    found: dict[str, Any] = json.loads(result.read_text()) if result.exists() and not quick else {"runs": []}
    found |= dict(told or {})
    done = {(run["plan"], run["seed"]) for run in found["runs"]}
    for seed in SEEDS[: 1 if quick else None]:
        for name, plan in plans.items():
            if (name, seed) in done:
                continue
            with tempfile.TemporaryDirectory() as scratch:
                sections = plan(seed, Path(scratch))
                if quick:
                    sections["training"]["epochs"] = 1
                began = time.perf_counter()
                with training_bar(False, f"{name}, seed {seed}") as progress:
                    _, judged = train_run(Config.of(sections, Path(scratch)), Path(scratch) / "run", progress=progress)
            found["runs"].append({"plan": name, "seed": seed, "seconds": round(time.perf_counter() - began, 1), "rows": judged.rows})
            found["summary"] = summary(found["runs"])
            if not quick:
                result.write_text(json.dumps(found, indent=1) + "\n")
    print(shown(found["summary"]))
    return found


def summary(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each row: NDCG@10 as mean and spread over seeds, and of the run's model the largest p that any seed had against it."""
    rows: dict[tuple[str, str, str, str], dict[str, Any]] = {}
    for run in runs:
        against = next((row["p_against"] for row in run["rows"] if row["p_against"]), {})
        for row in run["rows"]:
            place = rows.setdefault((run["plan"], row["name"], row["variant"], row["segment"]), {"n": row["n"], "values": [], "p": []})
            place["values"].append(row["metrics"]["ndcg@10"]["value"])
            rival = row["name"] if row["variant"] == "as trained" else row["variant"]
            if row["segment"] == "all" and rival in against:
                place["p"].append(against[rival])
    return [
        {"plan": plan, "name": name, "variant": variant, "segment": segment, "n": place["n"], "seeds": len(place["values"])}
        | {"ndcg@10": float(np.mean(place["values"])), "spread": float(np.std(place["values"], ddof=1)) if len(place["values"]) > 1 else None}
        | {"largest_p": max(place["p"], default=None)}
        for (plan, name, variant, segment), place in rows.items()
    ]


def shown(rows: list[dict[str, Any]]) -> str:
    lines = [f"{'plan':<18}{'model':<20}{'variant':<18}{'segment':<14}{'n':>5} {'seeds':>5}  {'NDCG@10':<18}largest p"]
    for row in rows:
        figure = f"{row['ndcg@10']:.4f}" + (f" ± {row['spread']:.4f}" if row["spread"] is not None else "")
        p = f"{row['largest_p']:.4f}" if row["largest_p"] is not None else ""
        lines.append(
            f"{row['plan']:<18}{row['name']:<20}{row['variant']:<18}{row['segment']:<14}{row['n']:>5} {row['seeds']:>5}  {figure:<18}{p}".rstrip()
        )
    return "\n".join(lines)


def ratio(rows: list[dict[str, Any]], plan: str, rivals: tuple[str, ...] = ("Popular", "PopularLately", "ItemNeighbours")) -> float:
    """The model's figure over that of the best rival."""
    own = [row for row in rows if row["plan"] == plan and row["segment"] == "all" and row["variant"] == "as trained"]
    best = max(row["ndcg@10"] for row in own if row["name"] in rivals)
    return float(next(row["ndcg@10"] for row in own if row["name"] not in rivals) / best)
