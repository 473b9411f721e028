"""All figures of a report, as one object: what the JSON holds and the page shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ... import __version__
from ...evaluation import OF_ROWS
from ..energy import estimated_wh
from ..figures import over_rows, row_of, smaller_is_better
from ..settings import flat
from .paired import SURE, Paired
from .runs import ReadRun

__all__ = ["report_of"]

POINTS = 300
"""Of a curve at most: more cannot be told apart."""
ORDER = ("all", "known items", "new items", "new among new", "new pairs", "sparse users", "new users")


def report_of(
    runs: Sequence[ReadRun],
    metric: str,
    verdict: Sequence[str],
    tests: Sequence[Paired],
    refused: Sequence[str],
    lists: Sequence[Mapping[str, Any]],
    watts: float,
) -> dict[str, Any]:
    """``lists``: what the runs would show. ``watts`` of a busy core, for the estimate where energy was not counted.

    ``metric`` is what is tested, and ``figure`` what ``quality`` and ``baselines`` hold of it.
    """
    figure = over_rows(metric)
    return {
        "format": 1,
        "germane": __version__,
        "verdict": list(verdict),
        "metric": metric,
        "figure": figure,
        "smaller_is_better": smaller_is_better(metric),
        "runs": [_run(run, watts) for run in runs],
        "watts": watts,
        "quality": _quality(runs, figure),
        "baselines": _baselines(runs, figure),
        "tests": [test.as_json() for test in tests],
        "not_compared": list(refused),
        "curves": [_curve(run) for run in runs],
        "lists": list(lists),
        "options": _options(runs),
    }


def _run(run: ReadRun, watts: float) -> dict[str, Any]:
    about = run.about
    counted, busy = about.get("energy_wh"), about.get("cpu_seconds")
    parameters = about.get("parameters", {})
    text = parameters.get("text_total") or 0
    model = run.folder / "model.safetensors"
    return {
        "name": run.name,
        "folder": str(run.folder),
        "model": run.rows[0]["name"] if run.rows else run.sections.get("model", {}).get("use"),
        "protocol": run.rows[0]["protocol"] if run.rows else None,
        "split": run.rows[0]["split"] if run.rows else None,
        "p_metric": _tested(run),
        "created": about.get("created"),
        "seed": about.get("seed"),
        "germane": about.get("germane"),
        "data": {name: value for name, value in about.get("data", {}).items() if name != "folder"},
        "epochs": about.get("epochs"),
        "seconds": dict(about.get("seconds", {})),
        "peak_mb": about.get("peak_mb"),
        "energy": {
            "wh": counted if counted is not None else None if busy is None else estimated_wh(busy, watts),
            "estimated": counted is None and busy is not None,
        },
        "parameters": dict(parameters),
        "text_trained_share": parameters.get("text_trainable", 0) / text if text else None,
        "bytes": {
            "model": model.stat().st_size if model.exists() else None,
            "run": sum(p.stat().st_size for p in run.folder.rglob("*") if p.is_file()),
        },
        "notes": [note["detail"] for note in about.get("notes", [])],
    }


def _quality(runs: Sequence[ReadRun], figure: str) -> list[dict[str, Any]]:
    """A line a segment, then a line a variant of all cases."""
    segments = {row["segment"] for run in runs for row in run.rows if row["name"] == run.rows[0]["name"] and row["variant"] == "as trained"}
    variants = {row["variant"]: None for run in runs for row in run.rows if row["name"] == run.rows[0]["name"] and row["segment"] == "all"}
    asked = [(segment, "as trained") for segment in sorted(segments, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))]
    asked += [("all", variant) for variant in variants if variant != "as trained"]
    lines = [
        {"segment": segment, "variant": variant, "runs": [run.figure(figure, segment, variant) for run in runs], "p": _against(runs, variant)}
        for segment, variant in asked
    ]
    return [line for line in lines if any(line["runs"])]


def _against(runs: Sequence[ReadRun], rival: str) -> list[float | None]:
    """p of the run as trained against its variant or a baseline, from when it was judged."""
    return [(run.rows[0].get("p_against") or {}).get(rival) if run.rows else None for run in runs]


def _tested(run: ReadRun) -> str | None:
    """The figure that p of variants and baselines is of: that of the first length of list; of rows alone, what single rows cost."""
    told = run.rows[0]["metrics"] if run.rows else {}
    return next((name for name in told if name.startswith("ndcg@")), next((name for name in OF_ROWS if over_rows(name) in told), None))


def _baselines(runs: Sequence[ReadRun], figure: str) -> list[dict[str, Any]]:
    """A line a baseline that was judged beside some run, with p of each run against it and which of the two is shown to be better."""
    beside = [
        {row["name"]: row for row in run.rows if (row["segment"], row["variant"]) == ("all", "as trained") and row is not row_of(run.rows)}
        for run in runs
    ]
    lines = []
    for name in dict.fromkeys(name for rows in beside for name in rows):
        found = [rows.get(name) for rows in beside]
        lines.append(
            {
                "baseline": name,
                "runs": [{"n": row["n"], **row["metrics"][figure]} if row and figure in row["metrics"] else None for row in found],
                "p": _against(runs, name),
                "better": [_better(run, row) for run, row in zip(runs, found, strict=True)],
            }
        )
    return lines


def _better(run: ReadRun, rival: Mapping[str, Any] | None) -> str | None:
    own, tested = row_of(run.rows), _tested(run)
    if rival is None or own is None or tested is None:
        return None
    figure = over_rows(tested)
    if figure not in own["metrics"] or figure not in rival["metrics"]:
        return None
    gap, p = own["metrics"][figure]["value"] - rival["metrics"][figure]["value"], (own.get("p_against") or {}).get(rival["name"])
    if p is None or p >= SURE or gap == 0:
        return None
    return "run" if (gap < 0) == smaller_is_better(figure) else "baseline"


def _curve(run: ReadRun) -> dict[str, Any]:
    """Of the model, or of the first of several trainings."""
    parts = list(dict.fromkeys(line["part"] for line in run.curve))
    part = "" if "" in parts else parts[0] if parts else ""
    lines = [line for line in run.curve if line["part"] == part]
    steps, ends = ([line for line in lines if bool(line.get("ended")) == ended] for ended in (False, True))
    losses = steps if len(steps) > len(ends) else ends  # few steps are told of where epochs are short
    return {
        "run": run.name,
        "part": part,
        "loss": _thinned([(line["at"], line["loss"]) for line in losses if line["loss"] is not None]),
        "validation": [(line["at"], line["validation"]) for line in ends if line.get("validation") is not None],
    }


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Means of as many neighbours as needed."""
    each = -(-len(points) // POINTS)
    groups = [points[begin : begin + each] for begin in range(0, len(points), each or 1)]
    return [(group[-1][0], sum(loss for _, loss in group) / len(group)) for group in groups]


def _options(runs: Sequence[ReadRun]) -> list[dict[str, Any]]:
    """Options that are not the same in all runs and that some run says; what a run neither says nor has a default for is null."""
    settled = [run.settled() for run in runs]
    said = {name for run in runs for name in flat(run.sections)} | {"text.model", "text.tuning"}
    found = [{"name": name, "values": [options.get(name) for options in settled]} for name in sorted(said) if not name.startswith("tracking.")]
    return [line for line in found if any(value != line["values"][0] for value in line["values"])]
