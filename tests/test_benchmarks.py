"""Benchmarks do not rot: every script says its command and loads, BENCHMARKS.md is what the JSON in the tree says, and the sums are right."""

from __future__ import annotations

import ast
import importlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from germane.config import Config
from germane.errors import ConfigError
from germane.worlds import MomentWorld

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "benchmarks"
SCRIPTS = sorted(path for path in FOLDER.glob("[a-z]*.py"))


@pytest.fixture(autouse=True)
def beside_them(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Scripts import their neighbours by name, as when they are run."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(FOLDER))
    yield
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and Path(sys.modules[name].__file__ or "").parent == FOLDER:
            del sys.modules[name]


def report() -> Any:
    return importlib.import_module("report")


def harness() -> Any:
    return importlib.import_module("_harness")


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_every_script_says_its_command(path: Path) -> None:
    head = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert head is not None and re.search(rf"^    .*python benchmarks/{path.name}", head, re.MULTILINE)
    assert "--quick" in head or path.name == "run_all.py"


def test_every_script_is_run_by_make_bench() -> None:
    assert {path.stem for path in SCRIPTS} == {*report().CLAIMS, *report().TUNING, "report", "run_all"}


@pytest.mark.parametrize("name", [path.stem for path in SCRIPTS])
def test_every_script_loads_and_claims_what_it_runs(name: str) -> None:
    module = importlib.import_module(name)
    if name not in report().CLAIMS:
        assert callable(module.main)
        return
    benchmark = module.BENCHMARK
    plans = [plan.name for plan in benchmark.plans]
    assert benchmark.name == name and len(set(plans)) == len(plans)
    assert {wanted.plan for wanted in benchmark.wanted} <= set(plans)
    assert all((plan.sections is None) != (plan.measure is None) for plan in benchmark.plans)
    assert all(plan.against is None or plan.against in plans for plan in benchmark.plans)
    assert all(wanted.least is not None or wanted.most is not None for wanted in benchmark.wanted)


def test_the_page_of_benchmarks_is_that_of_the_results() -> None:
    page = (ROOT / "BENCHMARKS.md").read_text(encoding="utf-8")
    assert page == report().page(), "run python benchmarks/report.py"
    for plot in re.findall(r"!\[[^]]*\]\(([^)]+)\)", page):
        assert (ROOT / plot).exists(), plot


@pytest.mark.parametrize("path", sorted((FOLDER / "results").glob("*.json")), ids=lambda path: path.stem)
def test_the_summary_is_that_of_the_runs(path: Path) -> None:
    found = json.loads(path.read_text())
    if path.stem in report().TUNING:
        assert found["trials"]
        return
    benchmark = importlib.import_module(path.stem).BENCHMARK
    again = importlib.import_module("_summary").summary(found["runs"], benchmark.metrics[0], benchmark.folds)
    assert json.loads(json.dumps(again)) == found["summary"]
    assert {run["plan"] for run in found["runs"]} <= {plan.name for plan in benchmark.plans}


def run(plan: str, seed: int, p: float, **values: float) -> dict[str, Any]:
    def row(name: str, value: float, variant: str = "as trained") -> dict[str, Any]:
        return {"name": name, "variant": variant, "segment": "all", "n": 9, "metrics": {"ndcg@10": {"value": value}}, "p_against": {}}

    rows = [row("Ours", values.pop("ours")), *(row(name, value) for name, value in values.items())]
    rows[0]["p_against"] = dict.fromkeys(values, p)
    return {"plan": plan, "seed": seed, "rows": rows}


def test_a_summary_has_mean_spread_and_the_largest_p() -> None:
    summary = importlib.import_module("_summary").summary
    own, rival = summary([run("a", 0, 0.01, ours=0.2, Theirs=0.1), run("a", 1, 0.04, ours=0.4, Theirs=0.1)], "ndcg@10")
    assert own["own"] and not rival["own"] and own["seeds"] == 2 and own["p"] is None
    assert own["figures"]["ndcg@10"] == {"mean": pytest.approx(0.3), "spread": pytest.approx(0.1 * 2**0.5)}
    assert rival["figures"]["ndcg@10"]["spread"] == 0 and rival["p"] == 0.04


def test_a_rival_of_the_same_class_has_a_row_of_its_own() -> None:
    found = importlib.import_module("_summary").summary([run("a", 0, 0.01, ours=0.2, Ours=0.1)], "ndcg@10")
    assert [(row["name"], row["own"], row["figures"]["ndcg@10"]["mean"]) for row in found] == [("Ours", True, 0.2), ("Ours (2)", False, 0.1)]


def test_folds_are_tested_with_their_overlap() -> None:
    fold_p = importlib.import_module("_summary").fold_p
    ours, theirs = [0.9, 1.0, 0.95, 0.97, 0.93], [1.0, 1.02, 1.0, 1.05, 0.96]
    assert fold_p(ours, theirs, 0.0) < fold_p(ours, theirs, 0.25) < 0.2  # overlapping training makes it less sure
    from scipy.stats import ttest_rel

    assert fold_p(ours, theirs, 0.0) == pytest.approx(ttest_rel(ours, theirs).pvalue)
    assert fold_p([1.0, 2.0], [1.0, 2.0], 0.25) == 1.0 and fold_p([1.0], [2.0], 0.25) is None


def test_a_verdict_needs_the_figure_and_the_p() -> None:
    wanted, summary = importlib.import_module("_claims").Wanted, importlib.import_module("_summary").summary
    rows = summary([run("a", 0, 0.04, ours=0.3, Theirs=0.2, Others=0.1)], "ndcg@10")
    assert wanted("", "a", least=0.3).reached(rows) and not wanted("", "a", most=0.2).reached(rows)
    assert wanted("", "b", least=0.3).reached(rows) is None and "not run yet" in wanted("", "b", least=0.3).told(rows)
    over = wanted("times", "a", rivals="all", least=1.4, p_below=0.05)
    assert over.found(rows) == (pytest.approx(1.5), 0.04) and "not" not in over.told(rows)
    assert not wanted("", "a", rivals=("Theirs",), least=1.4, p_below=0.01).reached(rows)


def test_of_errors_the_best_rival_is_the_smallest() -> None:
    wanted = importlib.import_module("_claims").Wanted
    rows = [
        {"plan": "a", "name": name, "variant": "as trained", "segment": "all", "own": name == "x", "p": None, "figures": {"rmse": {"mean": value}}}
        for name, value in (("x", 1.0), ("y", 2.0), ("z", 1.25))
    ]
    assert wanted("", "a", "rmse", rivals="all", most=1).found(rows)[0] == 0.8


def test_tables_written_again_are_the_same_data(tmp_path: Path) -> None:
    tables = importlib.import_module("_tables")
    dataset = MomentWorld(users=30, items=25, events=400, words=0.5, missing=0.2).dataset()
    again = Config.of({"data": tables.as_files(dataset, tmp_path)}, tmp_path).dataset()
    assert_frame_equal(again.events, dataset.events)
    assert_frame_equal(again.items.select(dataset.items.columns), dataset.items)
    assert dict(again.types) == dict(dataset.types)


def test_parts_survive_being_written(tmp_path: Path) -> None:
    tables = importlib.import_module("_tables")
    from germane.data import ByTime, Given

    dataset = MomentWorld(users=30, items=25, events=400).dataset()
    split = ByTime().divide(dataset)
    again = Config.of({"data": tables.as_files(dataset, tmp_path, tables.parted(dataset, split))}, tmp_path).dataset()
    parts = Given().divide(again)
    assert [len(parts.train), len(parts.validation), len(parts.test)] == [len(split.train), len(split.validation), len(split.test)]
    assert tables.events_of(again.take(parts.test)).drop("split").equals(tables.events_of(dataset.take(split.test)))


def test_a_rehearsal_is_small(tmp_path: Path) -> None:
    tables = importlib.import_module("_tables")
    dataset = MomentWorld(users=60, items=25, events=600).dataset()
    said = {"data": tables.as_files(dataset, tmp_path), "training": {"epochs": 9, "refit": True}, "text": {"use": "PretrainedText"}}
    small = tables.rehearsal(said, tmp_path, 10)
    assert small["training"] == {"epochs": 1, "refit": False} and small["text"] == {"use": "HashedText"}
    assert Config.of(small, tmp_path).dataset().n_users == 10 and said["training"]["epochs"] == 9


def test_scores_from_elsewhere_are_judged_as_a_models_own(tmp_path: Path) -> None:
    """Popularity as a table of scores has the figures of the model that counts it."""
    beside = importlib.import_module("_beside")
    from germane.data import ByTime
    from germane.evaluation import EvaluationOptions
    from germane.jobs.train import fit, judge
    from germane.models import Popular
    from germane.recommender import Recommender
    from germane.training import TrainingOptions

    dataset = MomentWorld(users=30, items=25, events=600).dataset()
    split, options = ByTime().divide(dataset), EvaluationOptions(segments=("all",))
    counts = np.bincount(dataset.item_codes[split.train], minlength=dataset.n_items).astype(float)
    told = beside.judge_told(dataset, split, "test", options, lambda rows: np.tile(counts, (len(rows), 1)), "told")
    counted = Recommender(Popular(), features=())
    fit(counted, dataset, split, TrainingOptions())
    own = judge(counted, dataset, split, options)
    assert told.rows[0]["metrics"] == own.rows[0]["metrics"] and told.cases.equals(own.cases)


def test_labels_told_from_elsewhere_are_judged_row_by_row() -> None:
    beside = importlib.import_module("_beside")
    from germane.data import Dataset, Given
    from germane.evaluation import EvaluationOptions

    events = pl.DataFrame({"user": list("aabb"), "item": list("xyxy"), "label": [1, 1, 1, 0], "split": ["train", "train", "test", "test"]})
    dataset = Dataset.from_frames(events, columns={"label": "label", "split": "split"})
    split, options = Given().divide(dataset), EvaluationOptions(k=(), segments=("all",))
    told = beside.judge_told(dataset, split, "test", options, lambda rows: np.where(rows == 2, 0.9, 0.2), "told", "click")
    assert told.rows[0]["metrics"]["auc"]["value"] == 1.0
    assert told.rows[0]["metrics"]["log_loss"]["value"] == pytest.approx(-(np.log(0.9) + np.log(0.8)) / 2)


def test_a_recipe_is_known_again_by_what_it_says() -> None:
    hashed, recipe = harness().recipe_hash, harness().recipe
    one, other = recipe("movielens")(0, Path()), recipe("movielens")(1, Path())
    assert hashed(one) == hashed(other) and one["seed"] != other["seed"]
    assert hashed({**one, "model": {**one["model"], "width": 999}}) != hashed(one)
    assert recipe("movielens", training={"epochs": 3})(0, Path())["training"]["epochs"] == 3
    with pytest.raises(ConfigError, match="not there"):
        recipe("nothing")(0, Path())


def test_what_is_missing_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GERMANE_DATA", raising=False)
    plan = harness().Plan("beauty", harness().recipe("beauty"), needs="Beauty")
    said = importlib.import_module("_harness")._missing(plan)
    assert said is not None and "Beauty does not fetch itself" in said and "\n" not in said
    assert importlib.import_module("_harness")._missing(harness().Plan("world", lambda seed, folder: {})) is None
