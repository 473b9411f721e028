"""One benchmark: its claim, its plans, and how they are run. Not a benchmark itself.

A plan and a seed make one run, in a process of its own, so that its peak memory is its own. The JSON is written after every run, and a run that is
there and still says the same recipe is not made again. ``--quick`` is a rehearsal: one seed, one epoch, few users, hashed texts; it writes to
benchmarks/quick/, which git ignores, and its figures mean nothing.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from _between import between, keep_users
from _claims import Wanted
from _machine import machine, versions
from _peers import run_peer
from _plans import Plan, Row, missing, plan_hash, recipe_hash
from _summary import shown, summary
from _tuned import best_of, with_options

HERE = Path(__file__).parent
RESULTS, QUICK = HERE / "results", HERE / "quick"
"""Results in the tree; rehearsals."""


@dataclass(frozen=True)
class Benchmark:
    """One claim and how it is put to the test."""

    file: str
    title: str
    plans: Sequence[Plan]
    metrics: tuple[str, ...] = ("ndcg@10",)
    """Columns of its table; the first is what p is about."""
    wanted: Sequence[Wanted] = ()
    folds: float | None = None
    """Where seeds are folds: test events over training events, for a paired test over folds."""
    segments: tuple[str, ...] = ("all",)
    """Rows of its table; of the run's own model all are there."""
    plot: Callable[[list[Row], Any], None] | None = field(default=None, repr=False)
    """Draws on matplotlib axes what the summary says."""
    caption: str = ""
    """Of the plot."""

    @property
    def name(self) -> str:
        return Path(self.file).stem

    def read(self, quick: bool = False) -> dict[str, Any] | None:
        path = (QUICK if quick else RESULTS) / f"{self.name}.json"
        return json.loads(path.read_text()) if path.exists() else None

    def main(self) -> None:
        said = self._said()
        if said.one is not None:
            plan = next(plan for plan in self.plans if plan.name == said.one)
            said.into.write_text(json.dumps(self._run(plan, said.seeds[0], said.quick)))
            return
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped; what was made before is kept"))  # an exit ends the run's process too
        found = self._all(said)
        if found["summary"]:
            print(shown(found["summary"], self.metrics))
        for wanted in self.wanted if not said.quick else ():
            print(wanted.told(found["summary"]))

    def _said(self) -> argparse.Namespace:
        doc = sys.modules["__main__"].__doc__
        parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("--quick", action="store_true", help="a rehearsal of at most two minutes, into benchmarks/quick/")
        parser.add_argument("--plans", nargs="+", choices=[plan.name for plan in self.plans], metavar="PLAN", help="these plans only")
        parser.add_argument("--seeds", nargs="+", type=int, help="these seeds only")
        parser.add_argument("--fresh", action="store_true", help="make runs again that are there")
        parser.add_argument("--peers", action="store_true", help="peers too, in environments of their own, which are made once")
        parser.add_argument("--one", help=argparse.SUPPRESS)
        parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
        return parser.parse_args()

    def _all(self, said: argparse.Namespace) -> dict[str, Any]:
        target = (QUICK if said.quick else RESULTS) / f"{self.name}.json"
        target.parent.mkdir(exist_ok=True)
        found: dict[str, Any] = (None if said.quick else self.read()) or {"runs": []}
        found |= {"benchmark": self.name, "runs": found["runs"], "summary": summary(found["runs"], self.metrics[0], self.folds)}
        for plan in self.plans:
            if (
                (said.plans and plan.name not in said.plans)
                or ((plan.peer is not None or plan.only_with_peers) and not said.peers)
                or (said.quick and not plan.rehearsed)
            ):
                continue
            reason = missing(plan)
            if reason:
                print(f"{self.name}, {plan.name}: skipped, since {reason}")
                continue
            for seed in said.seeds or plan.seeds[: 1 if said.quick else None]:
                if not said.fresh and self._is_there(found["runs"], plan, seed):
                    continue
                made = (None if said.quick or said.fresh else self._elsewhere(plan, seed)) or self._process(plan, seed, said.quick)
                self._forget(found["runs"], plan)
                found["runs"] = [run for run in found["runs"] if (run["plan"], run["seed"]) != (plan.name, seed)] + [made]
                found["runs"].sort(key=lambda run: (self._order(run["plan"]), run["seed"]))
                found["summary"] = summary(found["runs"], self.metrics[0], self.folds)
                target.write_text(json.dumps(found, indent=1) + "\n")
        return found

    def _forget(self, runs: Sequence[dict[str, Any]], plan: Plan) -> None:
        """Of a plan that has a new run, what was tested over its runs before."""
        tested = {plan.name, *(other.name for other in self.plans if other.against == plan.name)}
        for run in runs:
            if run["plan"] in tested:
                run.pop("p_together", None)
                run.pop("gain_over", None)

    def _order(self, name: str) -> int:
        return next((place for place, plan in enumerate(self.plans) if plan.name == name), len(self.plans))

    def _is_there(self, runs: Sequence[Mapping[str, Any]], plan: Plan, seed: int) -> bool:
        """Whether it was run, and by the recipe of today."""
        run = next((run for run in runs if (run["plan"], run["seed"]) == (plan.name, seed)), None)
        if run is None or plan.sections is None:
            return run is not None
        with tempfile.TemporaryDirectory() as scratch:
            same = run.get("recipe") == plan_hash(plan, plan.sections(seed, Path(scratch)))
        if not same:
            print(f"{self.name}, {plan.name}, seed {seed}: its recipe has changed since; it is made again.")
        return same

    def _elsewhere(self, plan: Plan, seed: int) -> dict[str, Any] | None:
        """A run of the same recipe and seed that another benchmark has made."""
        if plan.sections is None or any(said is not None for said in (plan.beside, plan.against, plan.peer, plan.grid)):
            return None
        with tempfile.TemporaryDirectory() as scratch:
            recipe = recipe_hash(plan.sections(seed, Path(scratch)))
        for path in sorted(RESULTS.glob("*.json")):
            for run in json.loads(path.read_text()).get("runs", []) if path.stem != self.name else []:
                if (run.get("recipe"), run["seed"]) == (recipe, seed) and "taken_from" not in run:
                    print(f"{self.name}, {plan.name}, seed {seed}: the same as {run['plan']} of {path.stem}.py")
                    return {**run, "plan": plan.name, "taken_from": path.stem}
        return None

    def _process(self, plan: Plan, seed: int, quick: bool) -> dict[str, Any]:
        print(f"{self.name}, {plan.name}, seed {seed}", flush=True)
        with tempfile.TemporaryDirectory() as scratch:
            into = Path(scratch) / "run.json"
            command = [sys.executable, self.file, "--one", plan.name, "--seeds", str(seed), "--into", str(into), *(["--quick"] if quick else [])]
            done = subprocess.run(command, check=False)
            if done.returncode:
                sys.exit(f"{self.name}, {plan.name}, seed {seed} failed; what was made before is kept.")
            made: dict[str, Any] = json.loads(into.read_text())
        return made

    def _run(self, plan: Plan, seed: int, quick: bool) -> dict[str, Any]:
        from germane.jobs.memory import peak_mb

        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            if plan.measure is not None:
                rows, about = plan.measure(seed, folder, quick), {}
            elif plan.peer is not None:
                rows, about = self._peer(plan, seed, folder, quick)
            else:
                rows, about = self._train(plan, seed, folder, quick)
            took = time.perf_counter() - began
            if plan.against is not None:
                about |= self._between(plan, seed, quick)
        return {
            "plan": plan.name,
            "seed": seed,
            "seconds": round(took, 1),
            "peak_mb": round(peak_mb()),
            "machine": machine(),
            "versions": versions(),
            **about,
            "rows": rows,
        }

    def _train(self, plan: Plan, seed: int, folder: Path, quick: bool) -> tuple[list[Row], dict[str, Any]]:
        from _beside import Trained
        from _tables import rehearsal

        from germane.config import Config
        from germane.jobs.progress import training_bar
        from germane.jobs.run import train_run

        assert plan.sections is not None
        sections = plan.sections(seed, folder)
        recipe, chosen = plan_hash(plan, sections), {}
        if quick:
            sections = rehearsal(sections, folder, plan.users)
        if plan.grid is not None:
            options, trials = self._chosen(plan, recipe, seed, quick), []
            if options is None:
                options, trials = best_of(sections, plan.grid, folder, quick)
            sections, chosen = with_options(sections, options), {"chosen": options, "trials": trials}
        config = Config.of(sections, folder)
        with training_bar(quick, f"{self.name}, {plan.name}, seed {seed}") as progress:
            run, judged = train_run(config, folder / "run", progress=progress)
        about = json.loads((run / "about.json").read_text())
        trained = Trained(config, run, judged)
        if plan.beside is not None:
            plan.beside(trained)
        keep_users(self.name, plan.name, seed, quick, run / "per_user.parquet")
        facts = {"recipe": recipe, "epochs": about["epochs"], "events": about["data"]["events"], "parts": about["seconds"]}
        return trained.rows, facts | chosen

    def _chosen(self, plan: Plan, recipe: str, seed: int, quick: bool) -> dict[str, Any] | None:
        """What the tuning of another seed chose: one is enough."""
        earlier = [run for run in (self.read(quick) or {"runs": []})["runs"] if run["plan"] == plan.name and run.get("recipe") == recipe]
        return next((run["chosen"] for run in earlier if run["seed"] != seed), None)

    def _peer(self, plan: Plan, seed: int, folder: Path, quick: bool) -> tuple[list[Row], dict[str, Any]]:
        from _tables import rehearsal

        from germane.jobs.beside import per_user

        assert plan.sections is not None and plan.peer is not None
        sections = plan.sections(seed, folder)
        recipe = plan_hash(plan, sections)
        if quick:
            sections = rehearsal(sections, folder, plan.users)
        chosen = self._chosen(plan, recipe, seed, quick)
        dataset, judged, facts = run_peer(plan.peer, sections, folder, seed, quick, chosen)
        users = per_user(dataset, judged)
        users.write_parquet(folder / "per_user.parquet")
        keep_users(self.name, plan.name, seed, quick, folder / "per_user.parquet")
        return judged.rows, {"recipe": recipe, **facts}

    def _between(self, plan: Plan, seed: int, quick: bool) -> dict[str, Any]:
        """p against the plan that it is compared with: of this seed, and of all that are there by now, with what it gains over that one."""
        assert plan.against is not None
        there = (self.read(quick) or {"runs": []})["runs"]
        seeds = sorted({seed, *(run["seed"] for run in there if run["plan"] == plan.name)})
        of_this, of_all = (between(self.name, (plan.name, plan.against), some, self.metrics, quick) for some in ([seed], seeds))
        told: dict[str, Any] = {"p_between": _each(of_this, "p")}
        if of_all and len(seeds) > 1:
            told["p_together"] = {"seeds": seeds, **_each(of_all, "p")}
        gains = {figure: {name: said[name] for name in ("gain", "low", "high")} for figure, said in of_all.items()}
        return told | ({"gain_over": {"seeds": seeds, **gains}} if gains else {})


def _each(tested: Mapping[str, Mapping[str, float]], name: str) -> dict[str, float]:
    return {figure: said[name] for figure, said in tested.items()}
