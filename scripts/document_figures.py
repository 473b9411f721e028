"""Write the figures of README.md and of pages in docs/ from benchmarks/results/: no number there is typed by hand.

`python scripts/document_figures.py` rewrites the parts between the marks; tests/test_docs.py fails where one is stale.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- figures: written by scripts/document_figures.py -->\n", "<!-- end of figures -->\n"
RIVALS = ("Popular", "PopularLately", "ItemNeighbours")
PLANS = ("by-time", "leave-last-out")
OURS = "ContextTransformer"


def readme() -> str:
    rows, world = summary("movielens"), summary("moments")
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


def tuning() -> str:
    """Each kind of tuning beside frozen: what it reaches on new items and what it takes."""
    rows, p = summary("fine_tuning"), dict[str, dict[str, float]]()
    for run in results("fine_tuning")["runs"]:
        p[run["plan"]] = run.get("p_together") or run.get("p_between") or {}
    lines = [
        "| items have | `tuning` | seeds | shelf of new items | p | all events | p | sparse users | learns, % | s an epoch | MB | file MB |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in (row for row in rows if row["segment"] == "all" and row["own"]):
        kind, _, alone = row["plan"].partition(", ")
        sparse = next(other for other in rows if (other["plan"], other["segment"]) == (row["plan"], "sparse users"))
        tested = p[row["plan"]]
        reached = [_shown(row, "shelf", 4), _p(tested, "shelf"), _shown(row, "ndcg@10", 4), _p(tested, "ndcg@10"), _shown(sparse, "ndcg@10", 4)]
        share = 100 * row["figures"]["share"]["mean"]
        takes = [f"{share:.2g}", _shown(row, "s an epoch", 0), _shown(row, "MB", 0), f"{row['figures']['file MB']['mean']:.2g}"]
        lines.append(f"| {'texts' if alone else 'texts, identities, attributes'} | `{kind}` | {row['seeds']} | {' | '.join(reached + takes)} |")
    return "\n".join(lines) + "\n"


def remedies() -> str:
    """What each remedy gains over the recipe, best first."""
    runs, told = results("remedies")["runs"], []
    for plan in dict.fromkeys(run["plan"] for run in runs):
        own = [run for run in runs if run["plan"] == plan and "gain" in run["rows"][0]["metrics"]]
        if own:
            single = own[-1]["rows"][0]["metrics"]["gain"]
            gain = own[-1].get("gain_over", {}).get("ndcg@10") or {"gain": single["value"], "low": single["low"], "high": single["high"]}
            told.append((plan.partition(", "), gain, [run["epochs"] for run in own]))
    lines = ["| data | remedy | seeds | gain in NDCG@10, 95 % interval | epochs |", "|---|---|---|---|---|"]
    for (data, _, remedy), gain, epochs in sorted(told, key=lambda one: (one[0][0], -one[1]["gain"])):
        interval = f"{gain['gain']:+.4f} ({gain['low']:+.4f} to {gain['high']:+.4f})".replace("-", "−")
        lines.append(f"| {data} | {remedy} | {len(epochs)} | {interval} | {', '.join(map(str, epochs))} |")
    return "\n".join(lines) + "\n"


def noise() -> str:
    """What noise in training leaves in the generated world, and who shows what was pushed."""
    rows = [row for row in summary("noise") if (row["variant"], row["segment"]) == ("as trained", "all")]
    told = {(row["plan"], row["name"]): row["figures"] for row in rows if row["plan"].partition(",")[0] == "world"}
    models = list(dict.fromkeys(name for _, name in told))
    heads = ["noise in training", "seeds", *(f"`{name}`" for name in models), *(f"pushed, `{name}`" for name in models)]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for plan in dict.fromkeys(plan for plan, _ in told):
        own = [told[plan, name] for name in models]
        kept = [figures["ndcg@10"]["mean"] / told["world", name]["ndcg@10"]["mean"] for name, figures in zip(models, own, strict=True)]
        cells = [f"{figures['ndcg@10']['mean']:.3f}" if plan == "world" else f"{100 * share:.0f} %" for figures, share in zip(own, kept, strict=True)]
        pushed = [f"{100 * figures['pushed@10']['mean']:.1f} %" if "click" in plan or plan == "world" else "" for figures in own]
        seeds = next(row["seeds"] for row in rows if row["plan"] == plan)
        lines.append(f"| {plan.removeprefix('world').removeprefix(', ') or 'none'} | {seeds} | {' | '.join(cells + pushed)} |")
    return "\n".join(lines) + "\n"


def optimisers() -> str:
    """What each reaches on validation, and how fast."""
    lines = ["| `[training]` | seeds | NDCG@10 on validation | best epoch | seconds |", "|---|---|---|---|---|"]
    for row in summary("optimisers"):
        figures = [_shown(row, figure, places) for figure, places in (("validation_ndcg@10", 4), ("best_epoch", 0), ("seconds", 0))]
        lines.append(f"| {row['plan']} | {row['seeds']} | {' | '.join(figures)} |")
    return "\n".join(lines) + "\n"


def results(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text())
    return found


def summary(name: str) -> list[dict[str, Any]]:
    return list(results(name)["summary"])


WRITTEN = {"tuning": tuning, "overfitting": remedies, "robustness": noise, "training": optimisers}
PAGES: dict[Path, Callable[[], str]] = {
    ROOT / "README.md": readme,
    **{ROOT / "docs" / f"{name}.md": told for name, told in WRITTEN.items()},
}


def page(path: Path) -> str:
    """It as it should be."""
    text = path.read_text(encoding="utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    return before + BEGIN + PAGES[path]() + END + after


def _shown(row: dict[str, Any], figure: str, places: int) -> str:
    """Mean ± standard deviation."""
    told = row["figures"][figure]
    spread = f" ± {told['spread']:.{places}f}" if told["spread"] else ""
    return f"{told['mean']:.{places}f}{spread}"


def _p(tested: Mapping[str, float], figure: str) -> str:
    return f"{tested[figure]:.4f}" if figure in tested else ""


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
    for path in PAGES:
        path.write_text(page(path), encoding="utf-8")
        print(path)
    sys.exit(0)
