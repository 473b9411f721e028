"""Write the figures of README.md from benchmarks/results/: no number there is typed by hand.

`python scripts/document_figures.py` rewrites the part between the marks; tests/test_docs.py fails where it is stale.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
BEGIN, END = "<!-- figures: written by scripts/document_figures.py -->\n", "<!-- end of figures -->\n"
RIVALS = ("Popular", "PopularLately", "ItemNeighbours")
PLANS = ("by-time", "leave-last-out")
OURS = "ContextTransformer"


def figures() -> str:
    rows, world = (json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text())["summary"] for name in ("movielens", "moments"))
    counts = [next(row["n"] for row in rows if row["plan"] == plan) for plan in PLANS]
    lines = [
        "MovieLens 100K, NDCG@10 over the whole catalogue, seen films left out; mean ± standard deviation of three seeds; p of a paired test of",
        f"`{OURS}` against the row, the largest of the seeds (`python benchmarks/movielens.py`; every model had as many trials on",
        "validation, and ours one more on leave-last-out, longer, for its number of epochs: `benchmarks/demo_tuning.py`; how much its counts of",
        "pairs weigh was chosen on validation after that, among six weights and three kinds of counts: LOG.md):",
        "",
        f"| | by time, {counts[0]} users | p | leave-last-out, {counts[1]} users | p |",
        "|---|---|---|---|---|",
    ]
    for label, name, variant in (
        *((f"`{name}`", name, "as trained") for name in RIVALS),
        (f"`{OURS}`, trained without context", OURS, "without context"),
        ("the same with context shuffled", OURS, "context shuffled"),
        (f"**`{OURS}`**", OURS, "as trained"),
    ):
        cells = [cell for plan in PLANS for cell in _cells(_row(rows, plan, name, variant))]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    ratios = [f"{_ratio(rows, plan):.2f} × |" for plan in PLANS]
    lines.append(f"| of the best baseline above | {' | '.join(ratios)} |")
    lines += ["", *_nearest(rows)]
    reached, blind, best, best_blind = (
        _value(_row(world, "world", name, variant)) for name in (OURS, "best possible") for variant in ("as trained", "without context")
    )
    lines += [
        "",
        f"A generated world in which the moment decides (`python benchmarks/moments.py`, drawn by `python benchmarks/report.py`): `{OURS}` reaches",
        f"NDCG@10 {reached:.3f} of {best:.3f} that can be expected at best; trained without context it reaches {blind:.3f} of {best_blind:.3f}.",
        "",
        "![What the model reaches in a generated world, and what is left of it where the moment is not known](benchmarks/plots/moments.svg)",
        "",
        "Everything that is measured, what is claimed and what is not reached: [BENCHMARKS.md](BENCHMARKS.md).",
    ]
    return "\n".join(lines) + "\n"


def _nearest(rows: list[dict[str, Any]]) -> list[str]:
    """What stands nearer than the baselines of the table: our own tuned SASRec, and the blend of "blended", which is leave-last-out too."""
    blend = next(row for row in rows if row["plan"] == "blended" and row["segment"] == "all" and row["own"])
    rivals = [_row(rows, f"{plan}, SASRec", "SASRec", "as trained") for plan in PLANS]
    p = [rival["p"] for rival in rivals]
    ratios = [_value(_row(rows, plan, OURS, "as trained")) / _value(rival) for plan, rival in zip(PLANS, rivals, strict=True)]
    return [
        f"These baselines are the demo's. Nearer stands our own `SASRec`, tuned by nine trials: {_cells(rivals[0])[0]} by time, of which `{OURS}` is",
        f"{ratios[0]:.2f} × (largest p {p[0]:.4f}), and {_cells(rivals[1])[0]} on leave-last-out ({ratios[1]:.2f} ×, p",
        f"{rivals[1]['p_together']:.2f} of users' means over the seeds, {p[1]:.2f} in one of them).",
        f'There, with a fifth of a tuned `ALS` blended in, it reaches {_cells(blend)[0]} (plan "blended" of `benchmarks/movielens.py`).',
    ]


def page() -> str:
    """README.md as it should be."""
    text = README.read_text(encoding="utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    return before + BEGIN + figures() + END + after


def _row(rows: list[dict[str, Any]], plan: str, name: str, variant: str) -> dict[str, Any]:
    return next(r for r in rows if (r["plan"], r["name"], r["variant"], r["segment"]) == (plan, name, variant, "all"))


def _value(row: dict[str, Any]) -> float:
    return float(row["figures"]["ndcg@10"]["mean"])


def _cells(row: dict[str, Any]) -> tuple[str, str]:
    spread, p = row["figures"]["ndcg@10"]["spread"], row["p"]
    shown = f" ± {spread:.3f}" if spread and spread >= 0.0005 else ""
    return f"{_value(row):.3f}{shown}", "" if p is None else f"{p:.4f}".rstrip("0").rstrip(".") or "0"


def _ratio(rows: list[dict[str, Any]], plan: str) -> float:
    best = max(_value(_row(rows, plan, name, "as trained")) for name in RIVALS)
    return _value(_row(rows, plan, OURS, "as trained")) / best


if __name__ == "__main__":
    README.write_text(page(), encoding="utf-8")
    print(README)
    sys.exit(0)
