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


def figures() -> str:
    films, world = (json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text()) for name in ("movielens", "moments"))
    rows = films["summary"]
    counts = [next(row["n"] for row in rows if row["plan"] == plan) for plan in PLANS]
    lines = [
        "MovieLens 100K, NDCG@10 over the whole catalogue, seen films left out; mean ± standard deviation of three seeds; p of a paired test of",
        "`ContextTransformer` against the row, the largest of the seeds (`python benchmarks/movielens.py`; every model had as many trials on",
        "validation, `benchmarks/demo_tuning.py`):",
        "",
        f"| | by time, {counts[0]} users | p | leave-last-out, {counts[1]} users | p |",
        "|---|---|---|---|---|",
    ]
    for label, name, variant in (
        *((f"`{name}`", name, "as trained") for name in RIVALS),
        ("`ContextTransformer`, trained without context", "ContextTransformer", "without context"),
        ("the same with context shuffled", "ContextTransformer", "context shuffled"),
        ("**`ContextTransformer`**", "ContextTransformer", "as trained"),
    ):
        cells = [cell for plan in PLANS for cell in _cells(_row(rows, plan, name, variant))]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    ratios = [f"{_ratio(rows, plan):.2f} × |" for plan in PLANS]
    lines.append(f"| of the best baseline | {' | '.join(ratios)} |")
    best, own = world["best_possible"], world["summary"]
    lines += [
        "",
        f"A generated world in which the moment decides (`python benchmarks/moments.py`): the best that can be expected is "
        f"{best['with_context']:.3f}, without context {best['without_context']:.3f}.",
        "",
        "| | NDCG@10 | p |",
        "|---|---|---|",
    ]
    for row in own:
        label = {"as trained": f"`{row['name']}`", "without context": "`ContextTransformer`, trained without context"}.get(
            row["variant"], row["variant"]
        )
        lines.append(f"| {label} | {' | '.join(_cells(row))} |")
    return "\n".join(lines) + "\n"


def page() -> str:
    """README.md as it should be."""
    text = README.read_text(encoding="utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    return before + BEGIN + figures() + END + after


def _row(rows: list[dict[str, Any]], plan: str, name: str, variant: str) -> dict[str, Any]:
    return next(r for r in rows if (r["plan"], r["name"], r["variant"], r["segment"]) == (plan, name, variant, "all"))


def _cells(row: dict[str, Any]) -> tuple[str, str]:
    spread = f" ± {row['spread']:.3f}" if row["spread"] and row["spread"] >= 0.0005 else ""
    p = row["largest_p"]
    return f"{row['ndcg@10']:.3f}{spread}", "" if p is None else f"{p:.4f}".rstrip("0").rstrip(".") or "0"


def _ratio(rows: list[dict[str, Any]], plan: str) -> float:
    best = max(_row(rows, plan, name, "as trained")["ndcg@10"] for name in RIVALS)
    return float(_row(rows, plan, "ContextTransformer", "as trained")["ndcg@10"] / best)


if __name__ == "__main__":
    README.write_text(page(), encoding="utf-8")
    print(README)
    sys.exit(0)
