"""One benchmark: its claim, its plans, and how they are run. Not a benchmark itself.

A plan and a seed make one run, in a process of its own, so that its peak memory is its own. The JSON is written after every run, and a run that is
there and still says the same recipe is not made again. ``--quick`` is a rehearsal: one seed, one epoch, few users, hashed texts; it writes to
benchmarks/quick/, which git ignores, and its figures mean nothing.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from _claims import Wanted
from _machine import machine, versions
from _summary import shown, summary

HERE = Path(__file__).parent
RESULTS, QUICK, OWN = HERE / "results", HERE / "quick", HERE / ".per_user"
"""Results in the tree; rehearsals; figures of single users for paired tests between runs, which stay on this machine."""
SEEDS = (0, 1, 2)
FEW_USERS = 200

Sections = dict[str, Any]
Row = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """What is run with each seed: a config that is trained and judged (``sections``), or something else that is measured (``measure``)."""

    name: str
    sections: Callable[[int, Path], Sections] | None = None
    """Of a seed. Tables that the config reads may be written into the folder."""
    measure: Callable[[int, Path, bool], list[Row]] | None = None
    """Rows of a seed; the last argument says whether it is a rehearsal."""
    beside: Callable[[Any], None] | None = None
    """Judges more on the same held-out events: it is given the ``Trained`` of beside.py."""
    needs: str | None = None
    """The known source without which it is skipped."""
    against: str | None = None
    """The plan with whose users it is compared by a paired test."""
    seeds: tuple[int, ...] = SEEDS
    users: int | None = FEW_USERS
    """In a rehearsal; None: all."""
    rehearsed: bool = True
    """Whether ``--quick`` runs it: of many that are alike, some will do."""
    peer: bool = False
    """Run only with ``--peers``."""


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
            if (said.plans and plan.name not in said.plans) or (plan.peer and not said.peers) or (said.quick and not plan.rehearsed):
                continue
            missing = _missing(plan)
            if missing:
                print(f"{self.name}, {plan.name}: skipped, since {missing}")
                continue
            for seed in said.seeds or plan.seeds[: 1 if said.quick else None]:
                if not said.fresh and self._is_there(found["runs"], plan, seed):
                    continue
                made = (None if said.quick or said.fresh else self._elsewhere(plan, seed)) or self._process(plan, seed, said.quick)
                found["runs"] = [run for run in found["runs"] if (run["plan"], run["seed"]) != (plan.name, seed)] + [made]
                found["runs"].sort(key=lambda run: (self._order(run["plan"]), run["seed"]))
                found["summary"] = summary(found["runs"], self.metrics[0], self.folds)
                target.write_text(json.dumps(found, indent=1) + "\n")
        return found

    def _order(self, name: str) -> int:
        return next((place for place, plan in enumerate(self.plans) if plan.name == name), len(self.plans))

    def _is_there(self, runs: Sequence[Mapping[str, Any]], plan: Plan, seed: int) -> bool:
        """Whether it was run by the recipe of today. A run of before recipes were recorded counts."""
        run = next((run for run in runs if (run["plan"], run["seed"]) == (plan.name, seed)), None)
        if run is None or plan.sections is None or not run.get("recipe"):
            return run is not None
        with tempfile.TemporaryDirectory() as scratch:
            same = run["recipe"] == recipe_hash(plan.sections(seed, Path(scratch)))
        if not same:
            print(f"{self.name}, {plan.name}, seed {seed}: its recipe has changed since; it is made again.")
        return same

    def _elsewhere(self, plan: Plan, seed: int) -> dict[str, Any] | None:
        """A run of the same recipe and seed that another benchmark has made."""
        if plan.sections is None or plan.beside is not None or plan.against is not None:
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
            else:
                rows, about = self._train(plan, seed, folder, quick)
            took = time.perf_counter() - began
            if plan.against is not None:
                about |= {"p_between": self._between(plan, seed, quick)}
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
        recipe = recipe_hash(sections)
        if quick:
            sections = rehearsal(sections, folder, plan.users)
        config = Config.of(sections, folder)
        with training_bar(quick, f"{self.name}, {plan.name}, seed {seed}") as progress:
            run, judged = train_run(config, folder / "run", progress=progress)
        about = json.loads((run / "about.json").read_text())
        trained = Trained(config, run, judged)
        if plan.beside is not None:
            plan.beside(trained)
        keep_users(self.name, plan.name, seed, quick, run / "per_user.parquet")
        facts = {"recipe": recipe, "epochs": about["epochs"], "events": about["data"]["events"], "parts": about["seconds"]}
        return trained.rows, facts

    def _between(self, plan: Plan, seed: int, quick: bool) -> dict[str, float]:
        """p of a paired test over users, by figure, against the run of another plan with the same seed. Nothing where that one was made elsewhere."""
        import polars as pl

        from germane.metrics import paired_test

        assert plan.against is not None
        ours, theirs = (users_file(self.name, name, seed, quick) for name in (plan.name, plan.against))
        if not (ours.exists() and theirs.exists()):
            return {}
        both = pl.read_parquet(ours).join(pl.read_parquet(theirs), on="user").sort("user")
        names = [name for name in self.metrics if name in both.columns and f"{name}_right" in both.columns]
        return {
            name: paired_test(*(both.drop_nulls([name, f"{name}_right"])[column].to_numpy() for column in (name, f"{name}_right"))) for name in names
        }


def users_file(benchmark: str, plan: str, seed: int, quick: bool) -> Path:
    return OWN / ("quick" if quick else "full") / benchmark / f"{plan.replace(' ', '-').replace('%', 'percent')}-{seed}.parquet"


def keep_users(benchmark: str, plan: str, seed: int, quick: bool, frame: Path) -> None:
    file = users_file(benchmark, plan, seed, quick)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(frame.read_bytes())


def recipe(name: str, **changes: Mapping[str, Any]) -> Callable[[int, Path], Sections]:
    """The config of configs/, read when it is needed; ``changes``: keys of a section that differ."""

    def sections(seed: int, folder: Path) -> Sections:
        from germane.config import read_toml

        said = read_toml(HERE.parent / "configs" / f"{name}.toml")
        return {**said, **{section: {**said.get(section, {}), **keys} for section, keys in changes.items()}, "seed": seed}

    return sections


def recipe_hash(sections: Mapping[str, Any]) -> str:
    """Of all that a config says but its seed and where the tables lie."""
    said = copy.deepcopy({name: value for name, value in sections.items() if name != "seed"})
    for name in ("events", "items", "users", "path"):
        said.get("data", {}).pop(name, None)
    said.get("split", {}).pop("seed", None)
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()[:16]


def measured(name: str, figures: Mapping[str, float], **about: Any) -> Row:
    """A row of figures that are no judging, in the form of all rows."""
    metrics = {figure: {"value": float(value)} for figure, value in figures.items()}
    return {"name": name, "variant": "as trained", "segment": "all", "n": 1, "metrics": metrics, "p_against": {}, **about}


def _missing(plan: Plan) -> str | None:
    """Why its data cannot be read, as one sentence."""
    if plan.needs is None:
        return None
    from germane.component import find
    from germane.data import sources
    from germane.data.sources import Source
    from germane.errors import GermaneError

    source = find(plan.needs, sources, Source, "needs")()
    try:
        source.read() if plan.needs == "MovieLens100K" else source.home(None)
    except GermaneError as error:
        return str(error).splitlines()[0]
    return None
