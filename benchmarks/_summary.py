"""What the runs of a benchmark say together: every figure as mean and spread over seeds, and how sure a difference is."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

Row = dict[str, Any]


def summary(runs: Sequence[Mapping[str, Any]], metric: str, folds: float | None = None) -> list[Row]:
    """A row for each plan, model, variant and segment. A run's first rows are of its own model; a rival of the same class is called ``Name (2)``.

    ``figures``: metric -> mean and spread (standard deviation of the runs). ``p``: the largest that any run had in the paired test of its own model
    against the row; of ``own`` rows, that of their plan against another plan. ``p_together``: that of each user's mean over the runs, against another
    plan, where all of them were made on one machine. ``folds``: see ``fold_p``, which then stands in the place of p.
    """
    rows: dict[tuple[str, str, str, str], Row] = {}
    for run in runs:
        if not run["rows"]:
            continue
        against = next((row["p_against"] for row in run["rows"] if row["p_against"]), {})
        first, taken, mine = run["rows"][0], set(), True
        for row in run["rows"]:
            name = row["name"]
            mine = mine and (name, row["variant"]) == (first["name"], first["variant"]) and (name, row["variant"], row["segment"]) not in taken
            while (name, row["variant"], row["segment"]) in taken:
                name += " (2)"
            taken.add((name, row["variant"], row["segment"]))
            key = (run["plan"], name, row["variant"], row["segment"])
            said = rows.setdefault(key, {"own": mine, "n": row["n"], "split": row.get("split"), "values": {}, "p": [], "together": {}})
            for figure, value in row["metrics"].items():
                said["values"].setdefault(figure, []).append(value["value"])
            rival = row["variant"] if row["name"] == first["name"] and row["variant"] != first["variant"] else row["name"]
            if row["segment"] == "all" and not mine and rival in against:
                said["p"].append(against[rival])
            between = run.get("p_between")
            if row["segment"] == "all" and mine and between:
                said["p"].append(between.get(metric, next(iter(between.values()))))
                said["together"] = run.get("p_together", said["together"])
    own_of = {(key[0], key[3]): row for key, row in rows.items() if row["own"]}
    out = []
    for (plan, name, variant, segment), row in rows.items():
        values = row["values"]
        said = {"plan": plan, "name": name, "variant": variant, "segment": segment, "own": row["own"], "split": row["split"], "n": row["n"]}
        said["seeds"] = max((len(one) for one in values.values()), default=0)
        said["figures"] = {figure: {"mean": statistics.fmean(one), "spread": spread(one)} for figure, one in values.items()}
        said["p"] = max(row["p"], default=None)
        if metric in row["together"] and len(row["together"]["seeds"]) == said["seeds"]:
            said["p_together"] = row["together"][metric]
        rival = own_of.get((plan, segment))
        if folds is not None and rival is not None and not row["own"]:
            said["p"] = fold_p(rival["values"].get(metric, []), values.get(metric, []), folds)
        out.append(said)
    return out


def spread(values: Sequence[float]) -> float | None:
    return statistics.stdev(values) if len(values) > 1 else None


def fold_p(ours: Sequence[float], theirs: Sequence[float], share: float) -> float | None:
    """p of a paired t-test over folds, corrected for training parts that overlap; ``share``: test events over training events.

    None below two folds. Source: Nadeau and Bengio 2003, Inference for the generalization error.
    """
    gaps = [a - b for a, b in zip(ours, theirs)]
    if len(gaps) < 2 or len(ours) != len(theirs):
        return None
    from scipy.stats import t

    deviation = statistics.stdev(gaps)
    if deviation == 0:
        return 1.0 if gaps[0] == 0 else 0.0
    found = statistics.fmean(gaps) / (deviation * (1 / len(gaps) + share) ** 0.5)
    return float(2 * t.sf(abs(found), len(gaps) - 1))


def figure(row: Mapping[str, Any], metric: str) -> str:
    """``0.1192 ± 0.0044``; without a spread where there is one run, or none that shows."""
    if metric not in row["figures"]:
        return ""
    said = row["figures"][metric]
    spread = None if said["spread"] is None else written(said["spread"], said["mean"])
    return written(said["mean"]) + (f" ± {spread}" if spread is not None and spread.strip("0.") else "")


def written(value: float, like: float | None = None) -> str:
    """Four digits behind the point below ten, fewer above; ``like``: as many as this one has."""
    size = abs(value if like is None else like)
    return f"{value:.4f}" if size < 10 else f"{value:.1f}" if size < 1000 else f"{value:,.0f}"


def shown(rows: Sequence[Mapping[str, Any]], metrics: Sequence[str]) -> str:
    """The rows as lines of text."""
    heads = ["plan", "model", "variant", "segment", "n", "runs", *metrics, "p"]
    cells = [
        [row["plan"], row["name"], row["variant"], row["segment"], str(row["n"]), str(row["seeds"])]
        + [figure(row, metric) for metric in metrics]
        + ["" if row["p"] is None else f"{row['p']:.4f}"]
        for row in rows
    ]
    widths = [max(len(line[place]) for line in [heads, *cells]) for place in range(len(heads))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in [heads, *cells])
