"""Write BENCHMARKS.md and its plots from benchmarks/results/: no figure there is typed by hand.

    python benchmarks/report.py            # BENCHMARKS.md and benchmarks/plots/
    python benchmarks/report.py --quick    # BENCHMARKS.quick.md from the rehearsals in benchmarks/quick/

What is claimed and how it is put to the test is read from the scripts; the figures are read from the JSON. tests/test_benchmarks.py fails where the
page is stale.
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from _harness import QUICK, RESULTS, Benchmark  # noqa: E402
from _summary import figure  # noqa: E402

CLAIMS = (
    *("frappe", "frappe_topk", "beauty", "games", "movielens", "comoda", "lastfm", "moments", "cold_items", "classics"),
    *("backbones", "pretraining", "fine_tuning", "fine_tuning_choice", "optimisers", "machine", "search"),
    *("small_data", "context_worth", "words_worth", "noise", "remedies", "demo", "speed", "scale", "scale_data", "estimate"),
)
"""In the order of the page."""
TUNING = ("demo_tuning", "classics_tuning")
HEAD = """# Benchmarks

Written by `python benchmarks/report.py` from the JSON in benchmarks/results/; what a section says of its protocol is the head of its script. A run is
one plan with one seed, in a process of its own. Figures are means over runs ± their standard deviation; `n` are users, or rows where single rows are
judged; `p` is that of a paired test of the run's own model against the row, the largest that any run had; a claim on two plans is tested on
each user's mean over the runs, where they were made on one machine, and says the largest of single runs beside it. Lists rank the whole catalogue.
`make bench` rehearses every script in a small size (BENCHMARKS.quick.md), `make bench BENCH_ARGS=--full` makes what is missing here.
"""


def script(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", HERE / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def benchmarks() -> dict[str, tuple[Benchmark, str]]:
    """Each with the head of its script."""
    there = {name: script(name) for name in CLAIMS}
    return {name: (module.BENCHMARK, module.__doc__) for name, module in there.items()}


def page(quick: bool = False) -> str:
    known = benchmarks()
    parts = [
        HEAD if not quick else HEAD.replace("# Benchmarks\n", "# Rehearsals\n\n**One epoch, few users, hashed texts: these figures mean nothing.**\n")
    ]
    parts.append(_contents(known, quick))
    parts += [_section(benchmark, head, quick) for benchmark, head in known.values()]
    if not quick:
        parts.append(_tuning())
    return "\n".join(parts)


def draw(quick: bool = False) -> list[Path]:
    """The plots of what has results."""
    try:
        import matplotlib
    except ModuleNotFoundError:
        sys.exit("The page is written; its plots need matplotlib: pip install 'germane[dev]', or make env.")
    matplotlib.use("svg")
    matplotlib.rcParams |= {"svg.hashsalt": "germane", "svg.fonttype": "none", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
    from matplotlib import pyplot

    drawn = []
    for name, (benchmark, _) in benchmarks().items():
        found = benchmark.read(quick)
        if benchmark.plot is None or not found or not found["summary"]:
            continue
        panel, axes = pyplot.subplots(figsize=(7, 3.6), layout="constrained")
        benchmark.plot(found["summary"], axes)
        target = _plot(name, quick)
        target.parent.mkdir(exist_ok=True)
        panel.savefig(target, metadata={"Date": None})
        pyplot.close(panel)
        drawn.append(target)
    return drawn


def _plot(name: str, quick: bool) -> Path:
    return (QUICK if quick else HERE / "plots") / f"{name}.svg"


def _contents(known: Mapping[str, tuple[Benchmark, str]], quick: bool) -> str:
    lines = ["| | claims reached | runs |", "|---|---|---|"]
    for benchmark, _ in known.values():
        found = benchmark.read(quick) or {"runs": [], "summary": []}
        verdicts = [wanted.reached(found["summary"]) for wanted in benchmark.wanted]
        reached = f"{sum(v is True for v in verdicts)} of {len(verdicts)}" if found["runs"] else "not run yet"
        anchor = "".join(c for c in benchmark.title.lower().replace(" ", "-") if c.isalnum() or c == "-")
        lines.append(f"| [{benchmark.title}](#{anchor}) | {reached} | {len(found['runs'])} of {sum(len(p.seeds) for p in benchmark.plans)} |")
    return "\n".join(lines) + "\n"


def _section(benchmark: Benchmark, head: str, quick: bool) -> str:
    found = benchmark.read(quick)
    lines = [f"## {benchmark.title}", "", *_told(head), ""]
    if found is None or not found["runs"]:
        return "\n".join([*lines, *_verdicts(benchmark, []), "", "Not run yet.", ""])
    rows = found["summary"]
    lines += [*_verdicts(benchmark, rows), "", *_table(benchmark, rows), ""]
    if benchmark.plot is not None:
        lines += [f"![{benchmark.caption}]({_plot(benchmark.name, quick).relative_to(HERE.parent).as_posix()})", ""]
    return "\n".join([*lines, *_cost(found["runs"]), ""])


def _told(head: str) -> list[str]:
    """The paragraphs of a script's head; its commands as they stand."""
    out = []
    for paragraph in head.strip().split("\n\n"):
        if paragraph.startswith("    "):
            out += ["```sh", *(line[4:] for line in paragraph.splitlines()), "```", ""]
        else:
            out += [paragraph.replace("``", "`"), ""]
    return out[:-1]


def _verdicts(benchmark: Benchmark, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return [f"- {wanted.told(rows)}" for wanted in benchmark.wanted]


def _table(benchmark: Benchmark, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    metrics = [metric for metric in benchmark.metrics if any(metric in row["figures"] for row in rows)]
    chosen = [row for row in rows if row["own"] or row["segment"] in benchmark.segments]
    keys = [key for key in ("plan", "name", "variant", "segment") if key == "name" or len({row[key] for row in chosen}) > 1]
    if all(row["n"] == 1 for row in chosen):
        keys = [key for key in keys if key != "name"] or ["name"]
    sure = any(row["p"] is not None for row in chosen)
    titles = {"plan": "plan", "name": "model", "variant": "variant", "segment": "events"}
    counted = ["n"] * any(row["n"] != 1 for row in chosen)
    heads = [*(titles[key] for key in keys), *counted, "runs", *metrics, *(["p"] * sure)]
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for row in chosen:
        mark = "**" if row["own"] and row["segment"] == "all" and sure else ""
        said = [f"{mark}{row[key]}{mark}" if key == "name" else str(row[key]) for key in keys]
        cells = [*said, *(f"{row['n']:,}" for _ in counted), str(row["seeds"]), *(figure(row, metric) for metric in metrics)]
        p = "" if row["p"] is None else f"{row['p']:.4f}"
        lines.append(f"| {' | '.join([*cells, *([p] * sure)])} |")
    parts = {row["split"] for row in chosen} - {None}
    return lines + ["", f"Judged on the {' and the '.join(sorted(parts))} part."] * bool(parts)


def _cost(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Machine, time and memory of the runs; of those of before these were recorded, that they were not."""
    minutes = [run["seconds"] / 60 for run in runs if "seconds" in run]
    peaks = [run["peak_mb"] for run in runs if "peak_mb" in run]
    machines = list(dict.fromkeys(_machine(run.get("machine")) for run in runs))
    said = [f"Machine: {'; '.join(machines)}."]
    if minutes:
        said.append(f"Minutes a run: {statistics.fmean(minutes):.1f}, at most {max(minutes):.1f}.")
    said.append(f"Memory: at most {max(peaks):,} MB." if peaks else "Memory was not recorded.")
    return [" ".join(said)]


def _machine(said: Mapping[str, Any] | None) -> str:
    if not said:
        return "not recorded"
    facts = [said.get("cpu") or said.get("arch") or "", f"{said['cores']} cores", f"{said['memory_gb']} GB" if said.get("memory_gb") else ""]
    facts += [said.get("gpu", ""), f"Python {said['python']}"]
    return ", ".join(fact for fact in facts if fact)


def _tuning() -> str:
    lines = ["## How options were chosen", ""]
    for name in TUNING:
        path = RESULTS / f"{name}.json"
        lines += [*_told(ast.get_docstring(ast.parse((HERE / f"{name}.py").read_text(encoding="utf-8"))) or ""), ""]
        if not path.exists():
            lines += ["Not run yet.", ""]
            continue
        trials = json.loads(path.read_text())["trials"]
        lines += ["| protocol | model | trials | best NDCG@10 on validation |", "|---|---|---|---|"]
        for protocol, model in dict.fromkeys((trial["protocol"], trial["model"]) for trial in trials):
            own = [trial["validation_ndcg@10"] for trial in trials if (trial["protocol"], trial["model"]) == (protocol, model)]
            lines.append(f"| {protocol} | {model} | {len(own)} | {max(own):.4f} |")
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    target = HERE.parent / ("BENCHMARKS.quick.md" if quick else "BENCHMARKS.md")
    target.write_text(page(quick), encoding="utf-8")
    print(target.name)
    for plot in draw(quick):
        print(plot.relative_to(HERE.parent))


if __name__ == "__main__":
    main()
