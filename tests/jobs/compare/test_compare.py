from __future__ import annotations

import json
import os
import re
import shutil
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from germane import cli
from germane.errors import ConfigError, QueryError, RunError
from germane.jobs.beside import as_parquet
from germane.jobs.compare import compare
from germane.jobs.compare.paired import Paired
from germane.jobs.compare.report import _curve
from germane.jobs.compare.verdict import _of as sentence
from germane.jobs.run import evaluate_run
from germane.metrics import paired_test
from germane.seal import rewrite

Pair = tuple[Path, Path]


@pytest.fixture(scope="module")
def report(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return compare(pair, tmp_path_factory.mktemp("report") / "report.html")


def test_the_first_sentence_says_which_is_better_and_how_sure(report: dict[str, Any]) -> None:
    assert re.match(
        r"after is better than before on ndcg@10: \.\d+ against \.\d+ \(\+\d+ %\), a difference between .* 40 users, p ", report["verdict"][0]
    )


def test_a_sentence_tells_p_before_and_after_it_was_adjusted() -> None:
    """Else a difference whose interval hardly holds 0 stands beside p = 1, and nobody knows why."""
    of_all = Paired(
        "frozen", "tuned", "all", users=130, before_value=0.08, after_value=0.09, difference=0.01, low=-0.01, high=0.03, p=0.4, p_adjusted=1.0
    )
    told = sentence(of_all, "tuned", made=4)
    assert told.endswith("over 130 users, p = 1, adjusted for 4 tests (.400 alone)")
    assert sentence(replace(of_all, p_adjusted=0.4), "tuned", made=1).endswith("over 130 users, p = .400")


def test_tests_are_those_of_the_users_own_figures(report: dict[str, Any], pair: Pair) -> None:
    test = next(test for test in report["tests"] if test["segment"] == "all")
    one, two = (pl.read_parquet(run / "per_user.parquet", glob=False).sort("user")["ndcg@10"].to_numpy() for run in pair)
    assert test["difference"] == pytest.approx(np.mean(two - one)) and test["low"] < test["difference"] < test["high"]
    assert test["p"] == paired_test(two, one) and test["p_adjusted"] >= test["p"] and test["users"] == 40
    assert {test["segment"] for test in report["tests"]} >= {"all", "known items", "new items"}
    new = next(test for test in report["tests"] if test["segment"] == "new items")
    rows = json.loads((pair[1] / "metrics.json").read_text())["rows"]
    row = next(row for row in rows if row["segment"] == "new items" and row["variant"] == "as trained")
    assert new["after_value"] == pytest.approx(row["metrics"]["ndcg@10"]["value"]) and new["users"] == row["n"]


def test_losses_of_epochs_are_shown_where_few_steps_are_told_of() -> None:
    """One step of three epochs said hardly anything, and left the epochs out."""
    step = {"part": "", "epoch": 2, "at": 1.4, "loss": 2.5}
    ends = [{"part": "", "epoch": at, "at": at, "loss": 4.0 - at, "ended": True} for at in (1, 2, 3)]
    ends[-1]["validation"] = 0.3
    run = SimpleNamespace(name="a", curve=[ends[0], step, *ends[1:]])
    assert _curve(run) == {"run": "a", "part": "", "loss": [(1, 3.0), (2, 2.0), (3, 1.0)], "validation": [(3, 0.3)]}  # type: ignore[arg-type]
    many = SimpleNamespace(name="a", curve=[step] * 4 + ends)
    assert _curve(many)["loss"] == [(1.4, 2.5)] * 4  # type: ignore[arg-type]
    assert _curve(SimpleNamespace(name="a", curve=[step]))["loss"] == [(1.4, 2.5)]  # type: ignore[arg-type]


def test_the_figures_are_the_runs_own(report: dict[str, Any], pair: Pair) -> None:
    rows = json.loads((pair[1] / "metrics.json").read_text())["rows"]
    told = next(line for line in report["quality"] if line["variant"] == "context shuffled")
    assert told["p"][1] == rows[0]["p_against"]["context shuffled"] and told["runs"][1]["low"] <= told["runs"][1]["value"]
    about = json.loads((pair[1] / "about.json").read_text())
    run = report["runs"][1]
    assert run["seconds"] == about["seconds"] and run["parameters"] == about["parameters"] and run["peak_mb"] == about["peak_mb"]
    assert run["bytes"]["model"] == (pair[1] / "model.safetensors").stat().st_size < run["bytes"]["run"]
    assert report["curves"][1]["validation"] == [[line["epoch"], line["validation"]] for line in about["curve"]]
    assert {line["name"]: line["values"] for line in report["options"]} == {
        "text.use": ["NoText", "HashedText"],
        "text.width": [None, 32],
        "training.epochs": [1, 12],
        "training.learning_rate": [1e-5, 0.02],
        "training.warmup": [50, 1],
    }


def test_baselines_stand_beside_each_run(pair: Pair, tmp_path: Path) -> None:
    told = compare(pair, tmp_path / "r.html")
    rows = json.loads((pair[1] / "metrics.json").read_text())["rows"]
    popular = next(row for row in rows if row["name"] == "Popular" and row["segment"] == "all")
    lines = {line["baseline"]: line for line in told["baselines"]}
    assert list(lines) == ["Popular", "PopularLately"]
    assert lines["Popular"]["runs"][1] == {"n": popular["n"], **popular["metrics"]["ndcg@10"]}
    assert lines["Popular"]["p"][1] == rows[0]["p_against"]["Popular"] < 0.05 and lines["Popular"]["better"][1] == "run"
    assert [run["p_metric"] for run in told["runs"]] == ["ndcg@10", "ndcg@10"]
    page = (tmp_path / "r.html").read_text()
    section = re.search(r'<section id="baselines".*?</section>', page, re.DOTALL)
    assert section is not None and "Popular</th>" in section[0] and "run is better</span>" in section[0] and "the run itself</th>" in section[0]
    assert "p: the run against the baseline<" in section[0]


def test_a_baseline_that_is_better_is_called_so(pair: Pair, tmp_path: Path) -> None:
    """Figures changed by hand; one that only one run was judged beside; a run of the baseline's own class; p of the figure it was made for."""
    copies = [Path(shutil.copytree(run, tmp_path / run.name)) for run in pair]
    metrics = json.loads((copies[0] / "metrics.json").read_text())
    for row in metrics["rows"]:
        if row["name"] == "Popular":
            row["name"] = metrics["rows"][0]["name"]
        if row["name"] == "PopularLately":
            row["metrics"]["ndcg@10"]["value"] = 0.9
    metrics["rows"][0]["p_against"] = {metrics["rows"][0]["name"]: 0.2, "PopularLately": 0.01}
    rewrite(copies[0], {"metrics.json": json.dumps(metrics).encode()})
    told = compare(copies, tmp_path / "r.html", metric="recall@10")
    lines = {line["baseline"]: line for line in told["baselines"]}
    assert lines["PopularLately"]["better"][0] == "baseline" and lines["ContextTransformer"]["better"] == [None, None]
    assert lines["ContextTransformer"]["runs"][1] is None and lines["Popular"]["runs"][0] is None
    page = (tmp_path / "r.html").read_text()
    assert "baseline is better</span>" in page and "not shown to differ</span>" in page and "against the baseline, on ndcg@10<" in page


def test_runs_that_guess_ratings_are_compared_on_squared_error(rated: Pair, tmp_path: Path) -> None:
    told = compare(rated, tmp_path / "r.html")
    assert (told["metric"], told["figure"], told["smaller_is_better"]) == ("squared_error", "rmse", True)
    assert told["verdict"][0].startswith("learnt is better than guess on squared_error: ")
    test = told["tests"][0]
    assert test["after_value"] < test["before_value"] and test["p_adjusted"] < 0.05 and test["better"] == "learnt"
    rows = [json.loads((run / "metrics.json").read_text())["rows"] for run in rated]
    assert told["quality"][0]["runs"][1] == {"n": rows[1][0]["n"], **rows[1][0]["metrics"]["rmse"]}
    assert told["baselines"][0]["runs"][1]["value"] == next(row for row in rows[1][1:] if row["segment"] == "all")["metrics"]["rmse"]["value"]
    assert [run["p_metric"] for run in told["runs"]] == ["squared_error", "squared_error"]
    assert told["baselines"][0]["better"] == [None, "run"] and told["baselines"][0]["p"][1] < 0.05
    page = (tmp_path / "r.html").read_text()
    assert "the run against the baseline, on squared_error<" in page and "asked for its own item" in page
    with pytest.raises(ConfigError, match=r"--metric 'log_loss': choose from squared_error\."):
        compare(rated, tmp_path / "other.html", metric="log_loss")


def test_a_figure_of_all_lists_is_none_of_single_users(pair: Pair, tmp_path: Path) -> None:
    """Older runs repeat it for each user, which makes any difference certain."""
    copies = [Path(shutil.copytree(run, tmp_path / run.name)) for run in pair]
    for run, covered in zip(copies, (0.2, 0.9), strict=True):
        users = pl.read_parquet(run / "per_user.parquet", glob=False)
        assert not {"coverage@10", "novelty@10"} & set(users.columns)
        whole = users.select("user", pl.lit(covered).alias("coverage@10"))
        rewrite(run, {"per_user.parquet": as_parquet(whole), "per_segment.parquet": as_parquet(whole.with_columns(segment=pl.lit("new items")))})
    with pytest.raises(ConfigError, match="share no figure of single users"):
        compare(copies, tmp_path / "r.html")


def test_without_baselines_there_is_no_table_of_them(pair: Pair, another: Callable[..., Path], tmp_path: Path) -> None:
    runs = [another(name, evaluation={"baselines": []}) for name in ("one", "two")]
    assert compare(runs, tmp_path / "r.html")["baselines"] == [] and "Beside baselines" not in (tmp_path / "r.html").read_text()


def test_energy_that_was_not_counted_is_called_an_estimate(pair: Pair, tmp_path: Path) -> None:
    copies = [Path(shutil.copytree(run, tmp_path / run.name)) for run in pair]
    for run, change in zip(copies, ({"energy_wh": 1.5}, {"energy_wh": None, "cpu_seconds": 7200.0}), strict=True):
        about = json.loads((run / "about.json").read_text())
        (run / "about.json").write_text(json.dumps(about | change))
    told = compare(copies, tmp_path / "r.html", watts=20)
    assert [run["energy"] for run in told["runs"]] == [{"wh": 1.5, "estimated": False}, {"wh": 40.0, "estimated": True}]
    page = (tmp_path / "r.html").read_text()
    assert "1.5 Wh</td>" in page and "40 Wh (estimate)" in page and "20 W each" in page


def test_lists_stand_side_by_side(report: dict[str, Any]) -> None:
    whys = [shown["why"].split(" of all")[0] for shown in report["lists"]]
    assert whys[0] == "gains most" and 2 <= len(whys) <= 3
    for shown in report["lists"]:
        first, second = (run["items"] for run in shown["runs"])
        assert len(first) == len(second) == 10 and len(shown["last"]) == 5
        places = {item["item"]: item["position"] for item in first}
        assert all(item["moved"] == (places[item["item"]] - item["position"] if item["item"] in places else None) for item in second)
        assert {item["item"] for item in first if item["alone"]} == set(places) - {item["item"] for item in second}
        for run in shown["runs"]:
            assert [item["position"] for item in run["items"] if item["name"] == shown["took"]] == [run["taken_place"]] * (run["taken_place"] <= 10)


def test_lists_of_queries(pair: Pair, tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text('{"user": "u1", "context": {"weather": "rain"}}\n\n{"history": ["i3"]}\n')
    told = compare(pair, tmp_path / "r.html", queries=tmp_path / "q.jsonl")
    assert [shown["who"] for shown in told["lists"]] == ["query 1", "query 2"]
    assert told["lists"][1]["why"] == '{"history": ["i3"]}' and len(told["lists"][0]["runs"][1]["items"]) == 10


def test_queries_come_through_a_pipe_too(pair: Pair, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=('\ufeff{"user": "u1"}\n\n{}\n',))
    writer.start()
    told = compare(pair, tmp_path / "r.html", queries=pipe)
    writer.join()
    assert [(shown["why"], [len(run["items"]) for run in shown["runs"]]) for shown in told["lists"]] == [
        ('{"user": "u1"}', [10, 10]),
        ("{}", [10, 10]),
    ]


def test_more_queries_than_a_page_shows_are_refused(pair: Pair, tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text("{}\n" * 21)
    with pytest.raises(QueryError, match=r"q\.jsonl holds 21 queries: a report shows 20 at most"):
        compare(pair, tmp_path / "r.html", queries=tmp_path / "q.jsonl")


def test_the_page_needs_nothing_from_outside_and_shows_what_is_no_markup(pair: Pair, tmp_path: Path) -> None:
    told = compare(pair, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert json.loads((tmp_path / "report.json").read_text()) == told
    assert not re.search(r"https?://|<script|url\(|@import|<link|<img", page)
    assert page.count("<table") == page.count("<caption>") > 4 and page.count("<svg") > 3 and 'lang="en"' in page
    assert "Held out: leave-last-out, test part." in page
    strange = told | {"verdict": ["<b>bold</b> & more"]}
    from germane.jobs.compare.page import page_of

    assert "&lt;b&gt;bold&lt;/b&gt; &amp; more" in page_of(strange)


def test_what_cannot_be_compared_is_one_sentence(pair: Pair, run: Path, another: Callable[..., Path], tmp_path: Path) -> None:
    out = tmp_path / "r.html"
    with pytest.raises(ConfigError, match="1 run given: compare takes 2 to 6"):
        compare(pair[:1], out)
    with pytest.raises(ConfigError, match="is given twice"):
        compare((pair[0], pair[0].parent / "x" / ".." / "before"), out)
    with pytest.raises(RunError, match="is not a run folder"):
        compare((pair[0], tmp_path / "none"), out)
    with pytest.raises(ConfigError, match="holds no figures of single users, since it was not judged"):
        compare((pair[0], run), out)
    with pytest.raises(ConfigError, match="they were trained on other data"):
        compare((pair[0], another("other", data={"rules": {}})), out)
    with pytest.raises(ConfigError, match=r"judged otherwise: evaluation\.exclude_seen is True and False"):
        compare((pair[0], another("seen", evaluation={"exclude_seen": True})), out)
    with pytest.raises(ConfigError, match=r"--metric 'ndgc@10': choose from .* Did you mean ndcg@10"):
        compare(pair, out, metric="ndgc@10")
    with pytest.raises(ConfigError, match=r"ends in \.pdf"):
        compare(pair, tmp_path / "r.pdf")
    torn = Path(shutil.copytree(pair[1], tmp_path / "torn"))
    (torn / "per_user.parquet").unlink()
    with pytest.raises(RunError, match=r"per_user\.parquet is missing"):
        compare((pair[0], torn), out)
    assert not out.exists()
    out.write_text("mine")
    with pytest.raises(ConfigError, match="add --replace"):
        compare(pair, out)
    assert out.read_text() == "mine"


def test_figures_of_another_question_are_not_set_beside_these(pair: Pair, tmp_path: Path) -> None:
    """Judged again with other rules after training; of an older run the rules of its training hold."""
    copies = [Path(shutil.copytree(run, tmp_path / run.name)) for run in pair]
    evaluate_run(copies[0], sets=["evaluation.baselines=[]", "evaluation.k=[10, 5]"])
    assert compare(copies, tmp_path / "longer.html")["verdict"]  # a figure names the length of its lists
    metrics = json.loads((copies[1] / "metrics.json").read_text())
    del metrics["judged"]
    rewrite(copies[1], {"metrics.json": json.dumps(metrics).encode()})
    assert compare(copies, tmp_path / "older.html")["verdict"]
    evaluate_run(copies[0], sets=["evaluation.baselines=[]", "evaluation.exclude_seen=true"])
    with pytest.raises(ConfigError, match=r"judged otherwise: evaluation\.exclude_seen is False and True"):
        compare(copies, tmp_path / "r.html")
    metrics["judged"] = {**json.loads((copies[0] / "metrics.json").read_text())["judged"], "data": "other"}
    rewrite(copies[1], {"metrics.json": json.dumps(metrics).encode()})
    with pytest.raises(ConfigError, match="judged on other data"):
        compare(copies, tmp_path / "r.html")


def test_the_same_file_is_no_option_that_differs(pair: Pair, another: Callable[..., Path], tmp_path: Path) -> None:
    deeper = another("further/down")
    told = compare([pair[0], deeper], tmp_path / "r.html")
    assert not [option for option in told["options"] if option["name"].startswith("data.")]


def test_of_three_runs_the_pairs_that_fit_are_tested(pair: Pair, another: Callable[..., Path], tmp_path: Path) -> None:
    told = compare((*pair, another("other", data={"rules": {}})), tmp_path / "r.html")
    assert {(test["before"], test["after"]) for test in told["tests"]} == {("before", "after")}
    assert len(told["not_compared"]) == 2 and told["not_compared"][0].startswith("before and other are not compared")
    assert "Not all stand on the same ground" in (tmp_path / "r.html").read_text()


def test_two_that_do_the_same_are_not_told_apart(pair: Pair, tmp_path: Path) -> None:
    twin = Path(shutil.copytree(pair[1], tmp_path / "twin"))
    told = compare((pair[1], twin), tmp_path / "r.html")
    assert told["verdict"][0].startswith("Neither after nor twin is shown to be better on ndcg@10") and told["verdict"][0].endswith("p = 1.")
    assert (
        "%)" not in told["verdict"][0]
        and len(told["verdict"]) == 2
        and told["options"] == []
        and all(test["better"] is None for test in told["tests"])
    )


def test_at_the_command_line(pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def call(*words: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["germane", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        said = capsys.readouterr()
        return int(left.value.code or 0), said.out + said.err

    code, said = call("compare", *pair, "-o", tmp_path / "r.html", "--metric", "recall@10")
    assert code == 0 and " on recall@10: " in said.splitlines()[0] and said.endswith("r.html\n")
    code, said = call("compare", *pair, "-o", tmp_path / "r.html", "--replace", "--json")
    assert code == 0 and json.loads(said)["metric"] == "ndcg@10"
    code, said = call("compare", pair[0], "-o", tmp_path / "r.html")
    assert code == 2 and said.count("\n") == 1
    code, said = call("describe", pair[1], "--card")
    assert code == 0 and said == (pair[1] / "card.md").read_text() + "\n"
