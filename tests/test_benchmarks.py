"""Benchmarks do not rot: every script says its command and loads, BENCHMARKS.md is what the JSON in the tree says, and the sums are right."""

from __future__ import annotations

import ast
import importlib
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
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


def plans() -> Any:
    return importlib.import_module("_plans")


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


def test_another_plan_is_compared_by_the_test_between_them() -> None:
    """Whichever of the two was run against the other."""
    wanted, summary = importlib.import_module("_claims").Wanted, importlib.import_module("_summary").summary
    runs = [run("a", 0, 0.9, ours=0.3), {**run("b", 0, 0.9, ours=0.2), "p_between": {"ndcg@10": 0.02}}]
    rows = summary(runs, "ndcg@10")
    assert wanted("", "a", over={"plan": "b"}, least=1).found(rows) == (pytest.approx(1.5), 0.02)
    assert wanted("", "b", over={"plan": "a"}, least=0.5).found(rows) == (pytest.approx(2 / 3), 0.02)


def test_two_plans_are_tested_on_each_users_mean_over_the_seeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What single seeds cannot tell, their mean does: here seeds differ by more than plans, and users by neither."""
    between = importlib.import_module("_between")
    monkeypatch.setattr(between, "OWN", tmp_path)
    rng = np.random.default_rng(0)
    users = [f"u{number}" for number in range(100)]
    for seed in (0, 1, 2):
        noise = rng.normal(size=(2, 100)) * 0.5
        for plan, ours in (("a", 0.0), ("b", 0.15)):
            file = between.users_file("bench", plan, seed, False)
            file.parent.mkdir(parents=True, exist_ok=True)
            pl.DataFrame({"user": users, "ndcg@10": 0.3 + ours + noise[int(plan == "b")]}).write_parquet(file)
    single = [between.between("bench", ("b", "a"), [seed], ("ndcg@10",), False)["ndcg@10"]["p"] for seed in (0, 1, 2)]
    told = between.between("bench", ("b", "a"), [0, 1, 2], ("ndcg@10",), False)["ndcg@10"]
    together = told["p"]
    assert together < 0.05 < max(single)
    assert told["low"] < told["gain"] < told["high"] and 0 < told["low"] < 0.15 < told["high"]
    assert between.between("bench", ("b", "a"), [0, 7], ("ndcg@10",), False) == {}  # a seed that was made elsewhere

    wanted, summary = importlib.import_module("_claims").Wanted, importlib.import_module("_summary").summary
    runs = [run("a", seed, 0.9, ours=0.3) for seed in (0, 1, 2)]
    runs += [{**run("b", seed, 0.9, ours=0.45), "p_between": {"ndcg@10": p}} for seed, p in enumerate(single)]
    claim = wanted("times", "b", over={"plan": "a"}, least=1, p_below=0.05)
    assert not claim.reached(summary(runs, "ndcg@10"))
    runs[-1] |= {"p_together": {"seeds": [0, 1], "ndcg@10": together}}  # of fewer runs than there are
    assert not claim.reached(summary(runs, "ndcg@10"))
    runs[-1] |= {"p_together": {"seeds": [0, 1, 2], "ndcg@10": together}}
    rows = summary(runs, "ndcg@10")
    assert claim.reached(rows) and claim.found(rows) == (pytest.approx(1.5), together)
    assert f"(p {together:.4f}, of single runs at most {max(single):.4f}, 3 runs)" in claim.told(rows)


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
    hashed, recipe = plans().recipe_hash, plans().recipe
    one, other = recipe("movielens")(0, Path()), recipe("movielens")(1, Path())
    assert hashed(one) == hashed(other) and one["seed"] != other["seed"]
    assert hashed({**one, "model": {**one["model"], "width": 999}}) != hashed(one)
    assert recipe("movielens", training={"epochs": 3})(0, Path())["training"]["epochs"] == 3
    with pytest.raises(ConfigError, match="not there"):
        recipe("nothing")(0, Path())


def test_what_is_missing_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GERMANE_DATA", raising=False)
    plan = plans().Plan("beauty", plans().recipe("beauty"), needs="Beauty")
    said = plans().missing(plan)
    assert said is not None and "Beauty does not fetch itself" in said and "\n" not in said
    assert plans().missing(plans().Plan("world", lambda seed, folder: {})) is None


TOY = """
import json, sys
from pathlib import Path
folder = Path(sys.argv[1])
job = json.loads((folder / "job.json").read_text())
train = [line.split(",") for line in (folder / "train.csv").read_text().split()[1:]]
cases = [line.split(",") for line in (folder / "cases.csv").read_text().split()[1:]]
if job["kind"] == "lists":  # everyone's list is what was taken most, or least
    counts = {}
    for _, item in train:
        counts[item] = counts.get(item, 0) + 1
    order = sorted(counts, key=lambda item: (-counts[item], int(item)), reverse=job["options"]["turned"])
    seen = {(user, item) for user, item in train}
    lines = ["row,item,place"]
    for row, user in cases:
        own = [item for item in order if (user, item) not in seen][: job["k"]]
        lines += [f"{row},{item},{place}" for place, item in enumerate(own, 1)]
    (folder / "lists.csv").write_text("\\n".join(lines))
else:  # the mean of the item
    told = {}
    for row in train:
        told.setdefault(row[2], []).append(float(row[0]))
    shift = job["options"].get("shift", 0)
    lines = [f"{row[0]},{shift + (sum(v) / len(v) if (v := told.get(row[2])) else 0.5)}" for row in cases]
    (folder / "scores.csv").write_text("\\n".join(["row,score", *lines]))
(folder / "done.json").write_text(json.dumps({"version": "0"}))
"""


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A library of its own: what is popular, as lists."""
    peers = importlib.import_module("_peers")
    (tmp_path / "toy.toml").write_text("requirements = []\n[popular]\nturned = [true, false]\n[click]\nnothing = [0]\n[stars]\nshift = [1.5, 0.0]\n")
    (tmp_path / "with_toy.py").write_text(TOY)
    monkeypatch.setattr(peers, "FOLDER", tmp_path)
    monkeypatch.setattr(peers, "environment", lambda library, requirements: Path(sys.executable))
    return peers


def test_a_peer_is_tuned_on_validation_and_judged_by_our_code(toy: Any, tmp_path: Path) -> None:
    tables = importlib.import_module("_tables")
    dataset = MomentWorld(users=40, items=30, events=600).dataset()
    said = {"data": tables.as_files(dataset, tmp_path), "split": {"use": "LeaveLastOut", "validation": 0}, "evaluation": {"segments": ["all"]}}
    _, judged, facts = toy.run_peer(toy.Peer("toy", "popular"), said, tmp_path, 0, False, None)
    assert facts["chosen"] == {"turned": False} and len(facts["trials"]) == 2  # the grid has no more
    from germane.evaluation import EvaluationOptions
    from germane.jobs.train import fit, judge
    from germane.models import Popular
    from germane.recommender import Recommender
    from germane.training import TrainingOptions

    config = Config.of(said, tmp_path)
    split = config.split.divide(config.dataset())
    counted = Recommender(Popular(), features=())
    fit(counted, config.dataset(), split, TrainingOptions())
    own = judge(counted, config.dataset(), split, EvaluationOptions(segments=("all",)))
    assert judged.value() == pytest.approx(own.value(), abs=0.02)  # ties apart, which count against ours and not against a list
    assert judged.rows[0]["n"] == own.rows[0]["n"] and judged.rows[0]["name"] == "toy popular"
    _, again, other = toy.run_peer(toy.Peer("toy", "popular"), said, tmp_path, 1, False, facts["chosen"])
    assert other["trials"] == [] and again.value() == judged.value()


def test_a_peer_of_clicks_has_the_drawn_negatives(toy: Any, tmp_path: Path) -> None:
    events = {"user": [f"u{n % 9}" for n in range(90)], "item": [f"i{n % 31}" for n in range(90)]}
    label, split = [1] * 60 + [n % 2 for n in range(30)], ["train"] * 60 + ["validation"] * 30
    frame = pl.DataFrame({**events, "label": label, "split": split, "weather": ["sun", "rain", None] * 30})
    frame.write_parquet(tmp_path / "e.parquet")
    columns = {"label": "label", "split": "split", "context": ["weather"]}
    said = {"data": {"events": "e.parquet", "columns": columns}, "split": {"use": "Given"}, "evaluation": {"k": [], "segments": ["all"]}}
    said |= {"training": {"heads": {"click": 1.0}, "negatives": 2}, "model": {"use": "FactorisationMachine"}}
    config = Config.of(said, tmp_path)
    dataset = config.dataset()
    parts = config.split.divide(dataset)
    place = tmp_path / "job"
    place.mkdir()
    toy._write_rows(toy.Peer("toy", "click", "click"), config, dataset, parts, parts.validation, place, 0)
    train = pl.read_csv(place / "train.csv")
    assert train.columns == ["target", "user", "item", "context:weather:category"]
    assert sorted(train["target"].value_counts().rows()) == [(0.0, 120), (1.0, 60)]
    taken = set(train.filter(pl.col("target") == 1).select("user", "item").rows())
    assert not taken & set(train.filter(pl.col("target") == 0).select("user", "item").rows())
    assert set(train["context:weather:category"]) == {-1, 0, 1}
    _, judged, _ = toy.run_peer(toy.Peer("toy", "click", "click"), said, tmp_path, 0, False, None)
    assert judged.rows[0]["n"] == 30 and 0 <= judged.rows[0]["metrics"]["auc"]["value"] <= 1


def test_of_a_peer_of_stars_the_smallest_error_is_chosen(toy: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    users, items = rng.integers(0, 20, 400), rng.integers(0, 15, 400)
    stars = np.clip(items % 5 + 1 + rng.integers(-1, 2, 400), 1, 5)
    frame = pl.DataFrame({"user": [f"u{n}" for n in users], "item": [f"i{n}" for n in items], "stars": stars, "day": ["mon", "sun"] * 200})
    frame.write_parquet(tmp_path / "e.parquet")
    said = {"data": {"events": "e.parquet", "columns": {"value": "stars", "context": ["day"]}}, "split": {"use": "Random"}}
    said |= {"training": {"heads": {"rating": 1.0}}, "model": {"use": "BiasedMF"}, "evaluation": {"k": [], "segments": ["all"]}}
    _, judged, facts = toy.run_peer(toy.Peer("toy", "stars", "rating"), said, tmp_path, 0, False, None)
    near, far = sorted(facts["trials"], key=lambda trial: trial["rmse"])
    assert facts["chosen"] == near["options"] == {"shift": 0.0} and near["rmse"] + 0.5 < far["rmse"]
    dataset = Config.of(said, tmp_path).dataset()
    split = Config.of(said, tmp_path).split.divide(dataset)
    known, truth = np.concatenate([split.train, split.validation]), dataset.events["value"].to_numpy()
    means = [truth[known][dataset.item_codes[known] == item].mean() for item in dataset.item_codes[split.test]]
    assert judged.value("rmse") == pytest.approx(np.sqrt(np.mean((truth[split.test] - means) ** 2)))


def test_every_classic_has_a_peer_or_the_head_says_that_it_has_none() -> None:
    from germane.models import classics

    script = importlib.import_module("classics")
    beside = {*script.CLASSICS, *script.OF_CLICKS, *script.OF_STARS}
    named = set(re.findall(r"`(\w+)`", script.__doc__.partition("`Popular`")[1] + script.__doc__.partition("`Popular`")[2]))
    assert beside | named == set(classics.__all__) and not beside & named


def test_what_learns_beside_frappe_is_tuned_as_peers_are() -> None:
    """A model that is taught beside the recipe has the recipe's own rate and weights, which were chosen for another."""
    script = importlib.import_module("frappe")
    plans_there = {plan.name: plan for plan in script.BENCHMARK.plans}
    sections = {name: plan.sections(0, Path()) for name, plan in plans_there.items()}
    rival = plans_there["FactorisationMachine"]
    assert rival.grid and sections["FactorisationMachine"]["model"] == {"use": "FactorisationMachine"}
    assert all(said["evaluation"]["baselines"] == [] for said in sections.values())
    assert all(sections["FactorisationMachine"][name] == sections["frappe"][name] for name in ("data", "split", "training"))
    compared = [wanted.metric for wanted in script.BENCHMARK.wanted if wanted.over.get("plan") == rival.name]
    assert {"auc", "log_loss"} <= set(compared)


@pytest.mark.parametrize("grid", sorted((FOLDER / "peers").glob("*.toml")), ids=lambda path: path.stem)
def test_every_peer_has_pins_a_runner_and_as_many_trials(grid: Path) -> None:
    import tomllib

    peers = importlib.import_module("_peers")
    said = tomllib.loads(grid.read_text())
    assert all("==" in line for line in said["requirements"]) and (FOLDER / "peers" / f"with_{grid.stem}.py").exists()
    for model in set(said) - {"requirements"}:
        drawn = peers.drawn(said[model], peers.TRIALS)
        assert len(drawn) == peers.TRIALS and drawn[0] == {name: values[0] for name, values in said[model].items()}
    used = {
        plan.peer.model
        for name in report().CLAIMS
        for plan in importlib.import_module(name).BENCHMARK.plans
        if plan.peer and plan.peer.library == grid.stem
    }
    assert used == set(said) - {"requirements"}


def test_what_new_items_get_of_lists_is_counted() -> None:
    """Two of 22 items are new and stand first for everyone; one user in four takes the first of them."""
    from germane.data import Dataset, LeaveLastOut
    from germane.evaluation import EvaluationOptions, cases_of
    from germane.models import Popular
    from germane.recommender import Recommender

    rows = [(f"u{user}", f"i{(user + step) % 20}") for user in range(20) for step in range(3)] + [(f"u{user}", "new0") for user in range(0, 20, 4)]
    rows += [(f"u{user}", f"i{(user + 3) % 20}") for user in range(20) if user % 4]
    items = {"item": [*(f"i{n}" for n in range(20)), "new0", "new1"]}
    frame = pl.DataFrame({"user": [user for user, _ in rows], "item": [item for _, item in rows]})
    dataset = Dataset.from_frames(frame, pl.DataFrame(items))
    split, options = LeaveLastOut(validation=0).divide(dataset), EvaluationOptions()
    recommender = Recommender(Popular(), features=())
    recommender.prepare(dataset.take(split.train))
    order = {name: float(name.startswith("new")) * 5 for name in dataset.items["id"]}

    class First(torch.nn.Module):
        length = 1

        def score(self, queries):  # type: ignore[no-untyped-def]
            return torch.tensor([list(order.values())] * len(queries))

    figures = importlib.import_module("cold_items").shown(First(), cases_of(recommender, dataset, split, "test", options), options)
    assert figures["share"]["value"] == pytest.approx(0.2)
    assert figures["taken"]["value"] == pytest.approx(5 / 40)
    assert figures["stated"]["value"] == pytest.approx(np.exp(5) / (2 * np.exp(5) + 17))


def test_bm25_finds_what_is_written() -> None:
    from germane.data import Dataset

    lastfm = importlib.import_module("lastfm")
    items = pl.DataFrame({"item": ["a", "b", "c"], "name": ["Blue Train", "Red House", "Blue Blue Sky"]})
    events = pl.DataFrame({"user": list("xxy"), "item": list("abc"), "words": ["jazz", "rock", "blue jazz"]})
    dataset = Dataset.from_frames(events, items, columns={"words": "words", "text": ["name"]})
    typed = [*dataset.events["words"].to_list()]
    scores = lastfm.bm25(dataset, np.array([0, 1]), typed)(np.array([0, 1, 2]))
    codes = [dataset.item_index[name] for name in "abc"]
    jazz, rock, both = scores[:, codes]
    assert jazz.argmax() == 0 and jazz[1] == 0 and rock.argmax() == 1
    assert both.argmax() == 0 and both[2] > 0  # jazz and blue stand at a; c has blue alone
    within = lastfm.within_tag(dataset, np.array([0, 1]), typed)(np.array([0, 1]))[:, codes]
    assert within.argmax(1).tolist() == [0, 1] and within[0, 1] > within[0, 2]


def test_noise_is_as_much_as_it_says() -> None:
    noise, tables = importlib.import_module("noise"), importlib.import_module("_tables")
    dataset = MomentWorld(users=40, items=30, events=1000).dataset()
    train, rng = tables.events_of(dataset), np.random.default_rng(0)
    more = noise.random_events(0.1)(train, dataset, rng)
    assert more.height == 100 and more.columns == train.columns and set(more["user"]) <= set(train["user"])
    fake = noise.fake_clicks(0.05)(train, dataset, rng)
    target = noise.pushed(train)
    assert fake.height == 50 and fake["user"].n_unique() == 10
    assert fake.group_by("user", maintain_order=True).agg(pl.col("item").last())["item"].unique().to_list() == [target]
    assert noise.pushed(pl.concat([train, fake.select(train.columns)])) == target  # fakes do not change which item it is
    assert fake["time"].min() >= train["time"][-100]


def test_an_own_random_event_stands_behind_one_of_its_user() -> None:
    """Where events have no times, the order of the rows is all that says when."""
    noise, tables = importlib.import_module("noise"), importlib.import_module("_tables")
    train = tables.events_of(MomentWorld(users=40, items=30, events=1000).dataset()).with_row_index("row")
    more = noise.random_events(0.3, own=True)(train, None, np.random.default_rng(0))
    assert more.height == 300 and more.join(train, on=["row", "user"], how="semi").height == 300
    assert more.join(train, on=["row", "item"], how="semi").height < 50  # other items


def test_a_model_of_ours_is_tuned_on_validation_alone(tmp_path: Path) -> None:
    """Of popularity lately, the days: nobody looks at the test part, and the best trial is what is chosen."""
    tuned, tables = importlib.import_module("_tuned"), importlib.import_module("_tables")
    world = MomentWorld(users=60, items=30, events=2000).dataset()
    frame = tables.events_of(world)
    said = {
        "data": tables.as_files(world, tmp_path),
        "split": {"use": "ByTime"},
        "text": {"use": "NoText"},
        "model": {"use": "PopularLately"},
        "training": {"refit": True},
        "evaluation": {"k": [10], "segments": ["all"], "variants": []},
    }
    grid = {"model.days": [1, 3, 1000]}
    chosen, trials = tuned.best_of(said, grid, tmp_path, False)
    assert [trial["options"]["model.days"] for trial in trials] in ([1, 3, 1000], [1, 1000, 3])
    assert chosen == max(trials, key=lambda trial: trial["ndcg@10"])["options"]
    _, split = tables.opened(said, tmp_path)
    blind = world.take(np.setdiff1d(np.arange(frame.height), split.test))
    kept = {
        **said,
        "data": tables.as_files(blind, tmp_path),
        "split": {"use": "ByTime", "validation": len(split.validation) / len(blind), "test": 0.0},
    }
    assert [trial["ndcg@10"] for trial in tuned.best_of(kept, grid, tmp_path, False)[1]] == pytest.approx([trial["ndcg@10"] for trial in trials])


def test_another_grid_is_another_recipe() -> None:
    said, plan = {"model": {"use": "ALS"}}, plans().Plan("a", lambda seed, folder: {})
    hashes = {plans().plan_hash(replace(plan, grid=grid), said) for grid in (None, {"model.l2": [1.0]}, {"model.l2": [1.0, 2.0]})}
    assert len(hashes) == 3 and plans().plan_hash(plan, said) == plans().recipe_hash(said)


def test_every_grid_of_ours_has_as_many_trials_as_a_peer() -> None:
    peers = importlib.import_module("_peers")
    grids = [(plan.name, plan.grid) for name in report().CLAIMS for plan in importlib.import_module(name).BENCHMARK.plans if plan.grid]
    assert grids
    for name, grid in grids:
        assert len(peers.drawn({option: list(values) for option, values in grid.items()}, peers.TRIALS)) == peers.TRIALS, name
