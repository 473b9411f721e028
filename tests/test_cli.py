from __future__ import annotations

import json
import pickle
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import polars as pl
import pytest

import germane
from germane import __version__, cli
from germane.config import Config
from germane.errors import GermaneError
from germane.jobs.card import card_of
from germane.jobs.describe import describe
from germane.models import Popular
from germane.recommender import Recommender
from germane.testing.model_contract import small_shop


def call(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr(sys, "argv", ["germane", *map(str, words)])
    try:
        cli.main()
    except SystemExit as done:
        return int(done.code or 0)
    return 0


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    dataset = small_shop()
    users, items = dataset.users["id"], dataset.items["id"]
    dataset.events.select(
        users.gather(dataset.events["user"]).alias("user"),
        items.gather(dataset.events["item"]).alias("item"),
        "time",
        pl.col("context:weather").alias("weather"),
        pl.col("context:degrees").alias("degrees"),
    ).write_csv(folder / "events.csv")
    dataset.items.rename({"id": "item"}).write_csv(folder / "items.csv")
    (folder / "shop.toml").write_text(
        """
[data]
events = "events.csv"
items = "items.csv"
[data.columns]
user = "user"
item = "item"
time = "time"
context = ["weather", "degrees"]
text = ["title"]
[text]
use = "HashedText"
width = 32
[model]
width = 16
blocks = 1
[training]
epochs = 1
[evaluation]
baselines = ["Popular"]
"""
    )
    return folder


@pytest.fixture(scope="module")
def run(shop: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        assert call(patch, "train", shop / "shop.toml", "-o", shop / "run", "--quiet") == 0
    return shop / "run"


def test_a_run_is_a_readable_folder(run: Path) -> None:
    about = json.loads((run / "about.json").read_text())
    assert about["format"] == 1 and about["data"]["events"] == 480 and about["seconds"]["total"] > 0 and about["peak_mb"] > 0
    rows = json.loads((run / "metrics.json").read_text())["rows"]
    assert {row["name"] for row in rows} == {"ContextTransformer", "Popular"} and "Popular" in rows[0]["p_against"]
    assert {"context shuffled", "as trained"} == {row["variant"] for row in rows}
    assert not (run.parent / "run.partial").exists()


def test_a_run_says_the_same_however_it_was_trained(run: Path, tmp_path: Path) -> None:
    config = Config.read(run.parent / "shop.toml")
    dataset = config.dataset()
    python = germane.save(germane.train(config.recommender(dataset), dataset, training=config.training), tmp_path / "run")
    ours, theirs = (json.loads((folder / "about.json").read_text()) for folder in (run, python))
    assert list(ours) == list(theirs)
    for name in ("data", "seconds", "parameters"):
        assert list(ours[name]) == list(theirs[name])
    assert ours["data"] == theirs["data"]
    never = Recommender(Popular())
    never.prepare(dataset)
    unknown = json.loads((germane.save(never, tmp_path / "never") / "about.json").read_text())
    assert list(unknown) == list(ours) and unknown["data"] is None is unknown["energy_wh"]
    assert "was saved by a program" in card_of(tmp_path / "never") and describe(tmp_path / "never")["events"] is None


def test_queries_of_a_file(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "q.jsonl").write_text('{"user": "u1"}\n{}\n{"history": ["i1"], "words": "umbrella", "context": {"weather": "rain"}}\n')
    assert call(monkeypatch, "recommend", run, "--queries", tmp_path / "q.jsonl", "-k", 3, "-o", tmp_path / "s.jsonl") == 0
    slates = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text().splitlines()]
    assert [len(slate["items"]) for slate in slates] == [3, 3, 3]
    assert slates[0]["user"] == "u1" and slates[0]["items"][0]["position"] == 1 and slates[0]["items"][0]["propensity"] == 1.0


def test_new_items_from_a_file(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pl.DataFrame({"item": ["n1"], "title": ["umbrella"]}).write_csv(tmp_path / "new.csv")
    (tmp_path / "q.jsonl").write_text('{"candidates": ["n1", "i1"]}\n')
    command = ("recommend", run, "--queries", tmp_path / "q.jsonl", "-o", tmp_path / "s.jsonl", "--items", tmp_path / "new.csv")
    assert call(monkeypatch, *command) == 0
    assert {i["item"] for i in json.loads((tmp_path / "s.jsonl").read_text())["items"]} == {"n1", "i1"}


def test_a_table_for_people(run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(monkeypatch, "recommend", run, "--user", "u1", "--context", "weather=rain", "--words", "umbrella", "-k", 2) == 0
    assert "for u1" in capsys.readouterr().out


def test_lines_for_machines(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "q.jsonl").write_text('{"user": "u1"}\n{}\n')
    assert call(monkeypatch, "recommend", run, "--queries", tmp_path / "q.jsonl", "-k", 2) == 0
    assert [len(json.loads(line)["items"]) for line in capsys.readouterr().out.splitlines()] == [2, 2]
    explore = ("--set", "policy.use=EpsilonGreedy", "--set", "policy.epsilon=0.9", "--seed", 3)
    for more, policy in (((), "EpsilonGreedy"), (("--no-explore",), "Greedy")):
        assert call(monkeypatch, "recommend", run, "--user", "u1", "--json", "-k", 2, *explore, *more) == 0
        assert json.loads(capsys.readouterr().out)["policy"] == policy
    assert call(monkeypatch, "recommend", run, "--user", "u1", "-k", 2, "-o", tmp_path / "one.csv", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"lists": 1, "out": str(tmp_path / "one.csv")}
    assert pl.read_csv(tmp_path / "one.csv").height == 2


def test_what_a_run_is_asked_with_can_be_changed(run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    sets = ("--set", "policy.use=EpsilonGreedy", "--set", "policy.epsilon=0.5", "--set", "evaluation.exclude_seen=false")
    served: list[Recommender] = []
    monkeypatch.setattr("germane.serving.serve", lambda recommender, *given: served.append(recommender))
    assert call(monkeypatch, "serve", run, *sets) == 0
    assert repr(served[0].policy) == "EpsilonGreedy(epsilon=0.5)" and served[0].exclude_seen is False
    assert call(monkeypatch, "serve", run) == 0
    assert repr(served[1].policy) == "Greedy()" and served[1].exclude_seen is True
    assert call(monkeypatch, "describe", run, "--json", *sets) == 0
    assert json.loads(capsys.readouterr().out)["policy"] == "EpsilonGreedy(epsilon=0.5)"
    for more, items in (((), 12), (("--set", "evaluation.exclude_seen=false"), 24)):
        assert call(monkeypatch, "recommend", run, "--user", "u1", "-k", 24, "--json", *more) == 0
        shown = len(json.loads(capsys.readouterr().out)["items"])
        assert shown == items if more else shown < 24


def test_the_chance_is_shown_where_the_policy_explores(run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(monkeypatch, "recommend", run, "--user", "ghost", "--context", "weather=hail", "-k", 2, "--set", "policy.use=PlackettLuce") == 0
    said = capsys.readouterr().out
    assert "chance" in said and "'ghost' is not known" in said and "never seen in training" in said
    assert call(monkeypatch, "recommend", run, "--user", "u1", "-k", 2) == 0
    assert "chance" not in capsys.readouterr().out


def test_a_title_is_no_markup(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pl.DataFrame({"item": ["[/red]"], "title": ["[bold]loud[/nothing]"]}).write_csv(tmp_path / "new.csv")
    assert call(monkeypatch, "recommend", run, "-k", 1000, "--items", tmp_path / "new.csv") == 0
    assert "[bold]" in capsys.readouterr().out


def test_everyone(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call(monkeypatch, "recommend", run, "--all-users", "-k", 2, "-o", tmp_path / "lists.parquet") == 0
    assert pl.read_parquet(tmp_path / "lists.parquet").height == 80


def test_scores_are_appended(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pl.DataFrame({"user": ["u1", "u2"], "item": ["i1", "i2"], "weather": ["rain", "sun"]}).write_csv(tmp_path / "p.csv")
    assert call(monkeypatch, "score", run, "--pairs", tmp_path / "p.csv", "-o", tmp_path / "s.csv") == 0
    assert pl.read_csv(tmp_path / "s.csv").columns == ["user", "item", "weather", "score"]


def test_describe_check_and_evaluate(run: Path, shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(monkeypatch, "describe", run, "--json") == 0
    assert {c["name"] for c in json.loads(capsys.readouterr().out)["columns"]} == {"time", "weather", "degrees"}
    assert call(monkeypatch, "check", shop / "shop.toml") == 0
    assert call(monkeypatch, "evaluate", run, "--split", "validation") == 0
    assert {row["split"] for row in json.loads((run / "metrics.json").read_text())["rows"]} == {"validation"}


BROUGHT = {
    "doubled.csv": "user,item,time,weather,degrees,item\nu1,i1,1,rain,2,i1\n",
    "lacking.csv": "user,item,time,wether,degrees\nu1,i1,1,rain,2\n",
    "empty.csv": "",
    "header.csv": "user,item,time,weather,degrees\n",
    "one.csv": "user,item,time,weather,degrees\nu1,i1,1,rain,2\nu1,i2,2,sun,3\n",
    "cell.csv": "user,item,time,weather,degrees\nu1,i1,1,rain,2\nu2,i2,2,sun,warm\n",
    "key.jsonl": '{}\n{"usr": "u1"}\n',
    "broken.jsonl": '{"user": "u1"}\n\n{"user": \n',
    "filter.jsonl": '{}\n{"filter": {"eq": ["titel", "x"]}}\n',
    "context.jsonl": '{}\n{"context": {"degrees": "warm"}}\n',
    "new.csv": "itm,title\nn1,boots\n",
}
"""Files of a user in which something is wrong."""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        *(
            (("train", "SHOP", "-o", "new", "--set", f"data.events=HERE/{name}"), said)
            for name, said in (
                ("doubled.csv", "has the column 'item' twice"),
                ("lacking.csv", "no column 'weather'"),
                ("empty.csv", "empty.csv is empty"),
                ("header.csv", "header.csv holds no events"),
                ("one.csv", "one single user ('u1')"),
            )
        ),
        (
            ("train", "SHOP", "-o", "new", "--set", "data.events=HERE/cell.csv", "--set", "data.types.degrees=number"),
            "cell.csv, line 3: column 'degrees' holds 'warm' where a number belongs",
        ),
        (("check", "SHOP", "--set", "data.events=HERE/lacking.csv"), "Did you mean wether?"),
        (("init", "HERE/empty.csv"), "empty.csv is empty"),
        (("init", "HERE/header.csv"), "header.csv holds no events"),
        (("init", "HERE/one.csv", "--items", "HERE/empty.csv"), "empty.csv is empty"),
        (("init", "HERE/doubled.csv"), "has the column 'item' twice"),
        (("auto", "HERE/header.csv", "-o", "new"), "header.csv holds no events"),
        (("recommend", "RUN", "--queries", "key.jsonl"), "key.jsonl, line 2: 'usr' is no key of a query"),
        (("recommend", "RUN", "--queries", "broken.jsonl"), "broken.jsonl, line 3: this is not JSON"),
        (("recommend", "RUN", "--queries", "filter.jsonl"), "filter.jsonl, line 2: filter column 'titel' is not in the catalogue"),
        (("recommend", "RUN", "--queries", "filter.jsonl", "-o", "s.jsonl"), "Did you mean title?"),
        (("recommend", "RUN", "--queries", "context.jsonl"), "context.jsonl, line 2: context degrees = 'warm' is not a number"),
        (("recommend", "RUN", "--user", "u1", "--items", "new.csv"), "new.csv has no column 'item'"),
        (("score", "RUN", "--pairs", "lacking.csv", "-o", "s.csv", "--head", "rating"), "no rating head"),
        (("score", "RUN", "--pairs", "cell.csv", "-o", "s.csv"), "cell.csv, line 3: column 'degrees' holds 'warm'"),
        (("score", "RUN", "--pairs", "new.csv", "-o", "s.csv"), "new.csv has no column 'user'"),
        (("score", "RUN", "--pairs", "doubled.csv", "-o", "s.csv"), "has the column 'item' twice"),
        (("train", "ghost.toml", "-o", "x"), "not a config"),
        (("describe", "ghost"), "not a run folder"),
        (("recommend", "RUN", "--user", "u1", "--context", "wether=rain"), "Did you mean weather?"),
        (("recommend", "RUN", "-k", "0"), "between 1 and 1,000"),
        (("recommend", "RUN", "--queries", "ghost.jsonl", "-o", "s.jsonl"), "not there"),
        (("train", "SHOP", "-o", "RUN"), "--replace"),
        (("train", "SHOP", "-o", "new", "--set", "model.widht=3"), "Did you mean width?"),
        (("train", "SHOP", "-o", "new", "--set", "data.events=ghost.csv"), "ghost.csv"),
        (("evaluate", "RUN", "--set", "model.width=3"), "only policy and evaluation"),
        (("recommend", "RUN", "--nonsense"), "nonsense"),
        (("recommend", "RUN", "-k", "many"), "valid integer"),
        (("recommend", "RUN", "-k", "1000000000"), "between 1 and 1,000"),
        (("recommend", "RUN", "--all-users", "--user", "u1"), "say one of"),
        (("recommend", "RUN", "--user", "u1", "-o", "list.txt"), "results end in"),
        (("recommend", "RUN", "--user", "u1", "--time", "noonish"), "is not a time"),
        (("recommend", "RUN", "--user", "u1", "--context", "rain"), "name=value"),
        (("recommend", "RUN", "--user", "u1", "--seed", "-1"), "--seed"),
        (("recommend", "RUN", "--user", "u1", "--set", "policy.epsilon=0.1"), "no option 'epsilon'"),
        (("recommend", "RUN", "--user", "u1", "--set", "evaluation.exclude_sen=false"), "Did you mean exclude_seen?"),
        (("recommend", "RUN", "--user", "u1", "--set", "evaluation.exclude_seen=3"), "exclude_seen"),
        (("serve", "RUN", "--set", "policy.use=Greddy"), "Did you mean Greedy?"),
        (("serve", "RUN", "--set", "training.epochs=3"), "only policy and evaluation"),
        (("score", "RUN", "--pairs", "p.csv", "-o", "s.csv", "--set", "model.width=3"), "only policy and evaluation"),
        (("describe", "RUN", "--set", "policy=Greedy"), "write policy.key=value"),
        (("demo", "--no-serve", "-o", "new", "--set", "model.use=Popular"), "not model.use"),
        (("demo", "--no-serve", "-o", "new", "--set", "evaluation.k=[5]"), "seed, text, model, policy, training"),
        (("demo", "--no-serve", "-o", "new", "--set", "model.widht=3"), "Did you mean width?"),
        (("score", "RUN", "--pairs", "ghost.csv", "-o", "s.csv"), "no file matches"),
        (("check", "SHOP", "--set", "training.epochs=0", "--set", "policy.use=Greddy"), "Did you mean Greedy?"),
        (("evaluate", "RUN", "--split", "train"), "choose test or validation"),
        (("evaluate", "RUN", "--config", "ghost.toml"), "not a config"),
        (("serve", "RUN", "--host", "0.0.0.0"), "this machine only"),
        (("serve", "RUN", "--port", "99999"), "ports are numbers"),
        (("weights", "get", "no such model!"), "no such model!"),
        (("bogus",), "bogus"),
        (("train",), "CONFIG"),
    ],
)
def test_what_a_user_can_mend(
    words: tuple[str, ...], said: str, run: Path, shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in BROUGHT.items():
        (tmp_path / name).write_text(text)
    named = {"RUN": run, "SHOP": shop / "shop.toml"}
    assert call(monkeypatch, *(named.get(word, word.replace("HERE", str(tmp_path))) for word in words)) == 2
    out = capsys.readouterr()
    assert said in out.err and "Traceback" not in out.err and not out.out
    if any(name in word for name in BROUGHT for word in words):
        assert len(out.err.splitlines()) == 1
    assert {path.name for path in tmp_path.iterdir()} == BROUGHT.keys()


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (KeyboardInterrupt(), 130, ""),
        (MemoryError(), 2, "more memory"),
        (OSError(28, "No space left on device", "x.bin"), 2, "No space left on device: x.bin"),
        (PermissionError(13, "Permission denied", "x.bin"), 2, "Permission denied: x.bin"),
        (BrokenPipeError(), 0, ""),
        (GermaneError("mend this"), 2, "mend this"),
    ],
)
def test_exit_codes(
    raised: BaseException, code: int, said: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def raises(*given: object, **named: object) -> None:
        raise raised

    monkeypatch.setattr("germane.jobs.describe.describe", raises)
    monkeypatch.setattr("germane.cli.running._nobody_reads", lambda: 0)
    assert call(monkeypatch, "describe", tmp_path) == code
    err = capfd.readouterr().err
    assert said in err and "Traceback" not in err


@pytest.mark.parametrize("raised", [ZeroDivisionError, pl.exceptions.PanicException])
def test_our_own_fault_leaves_a_report(
    raised: type[BaseException], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], run: Path
) -> None:
    def broken(*given: object, **named: object) -> None:
        raise raised

    monkeypatch.setattr("germane.jobs.describe.open_run", broken)
    assert call(monkeypatch, "describe", run) == 3
    report = Path(capsys.readouterr().err.split("lies in ")[1].strip().rstrip("."))
    said = report.read_text()
    assert raised.__name__ in said and "germane describe" in said and "Python 3" in said
    report.unlink()


def test_a_report_holds_whatever_went_wrong(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], run: Path) -> None:
    def broken(*given: object, **named: object) -> None:
        raise ZeroDivisionError("caf\udce9")

    monkeypatch.setattr("germane.jobs.describe.open_run", broken)
    assert call(monkeypatch, "describe", run) == 3
    report = Path(capsys.readouterr().err.split("lies in ")[1].strip().rstrip("."))
    assert r"ZeroDivisionError: caf\udce9" in report.read_text()
    report.unlink()


def test_arguments_that_are_no_text(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], run: Path) -> None:
    assert call(monkeypatch, "recommend", run, "--words", "caf\udce9 umbrella") == 2
    assert r"The argument 'caf\udce9 umbrella' is no text in UTF-8" in capsys.readouterr().err


def _cut(run: Path) -> str:
    file = run / "history.parquet"
    file.write_bytes(file.read_bytes()[:-7])
    return "history.parquet is not the file that was written (its hash differs)"


def _flip(run: Path) -> str:
    content = bytearray((run / "model.safetensors").read_bytes())
    content[-5] ^= 4
    (run / "model.safetensors").write_bytes(content)
    return "model.safetensors is not the file that was written (its hash differs)"


def _newer(run: Path) -> str:
    about = json.loads((run / "about.json").read_text())
    (run / "about.json").write_text(json.dumps(about | {"format": 2}))
    return "about.json says format 2; this version reads up to 1: upgrade germane."


def _pickled(run: Path) -> str:
    (run / "notes.txt").write_bytes(pickle.dumps(["print"]))
    return "notes.txt looks like a pickle: pickles can run code and are never read. Remove it."


def _torn(run: Path) -> str:
    (run / "about.json").write_text((run / "about.json").read_text()[:100])
    return "about.json cannot be read (JSONDecodeError): the run is damaged."


def _lost(run: Path) -> str:
    (run / "users.parquet").unlink()
    return "users.parquet is missing: the run is not whole"


def _garbled(run: Path) -> str:
    (run / "per_user.parquet").write_bytes(b"garbage")
    return "germane evaluate"


@pytest.mark.parametrize("damage", [_cut, _flip, _newer, _pickled, _torn, _lost, _garbled])
def test_a_damaged_run_is_refused_in_one_sentence(
    damage: Callable[[Path], str], run: Path, shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(run, tmp_path / "run"))
    said = damage(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    out = ("-o", tmp_path / "out.csv")
    commands = [
        ("describe", folder),
        ("recommend", folder, "--user", "u1", *out),
        ("score", folder, "--pairs", shop / "events.csv", *out),
        ("compare", folder, run, "-o", tmp_path / "out.html"),
        ("serve", folder, "--port", "0", "--store", f"sqlite:///{tmp_path / 'store.db'}"),
    ]
    for command in commands if damage is _garbled else (*commands, ("evaluate", folder)):
        assert call(monkeypatch, *command) == 2
        told = capsys.readouterr()
        assert said in told.err and str(folder) in told.err and told.err.count("\n") == 1 and not told.out
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
        assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_judging_again_mends_figures(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(shutil.copytree(run, tmp_path / "run"))
    _garbled(folder)
    assert call(monkeypatch, "describe", folder) == 2
    assert call(monkeypatch, "evaluate", folder) == 0
    assert call(monkeypatch, "describe", folder) == 0


Full = Callable[[int], AbstractContextManager[None]]


def test_a_disk_that_runs_full_in_training(
    shop: Path, tmp_path: Path, full_disk: Full, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("train", shop / "shop.toml", "-o", tmp_path / "run", "--quiet")
    with full_disk(2000):
        assert call(monkeypatch, *command) == 2
    told = capsys.readouterr().err
    weights = tmp_path / "run.partial" / "checkpoint" / "epoch-1.safetensors"
    assert told == (
        f"{weights} could not be written (File too large); what was kept before, and any older run, is whole: make room, and the same command "
        "with --resume goes on.\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["run.partial"]
    assert call(monkeypatch, *command, "--resume") == 0
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_disk_that_runs_full_in_saving(
    shop: Path, run: Path, tmp_path: Path, full_disk: Full, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(run, tmp_path / "run"))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    counted = ("--set", "model={use='Popular'}", "--set", "evaluation.baselines=[]")
    command = ("train", shop / "shop.toml", "-o", folder, "--quiet", "--replace", *counted)
    with full_disk(2000):
        assert call(monkeypatch, *command) == 2
    told = capsys.readouterr().err
    assert f"run could not be written (File too large); what stood at {folder} is whole: make room" in told
    assert f"kept in {folder}.partial: the same command with --resume goes on" in told and told.count("\n") == 1
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "run.partial"]
    assert call(monkeypatch, *command, "--resume") == 0 and (folder / "model.safetensors").read_bytes() != before["model.safetensors"]


@pytest.mark.parametrize("name", ["out.csv", "out.parquet", "out.jsonl"])
def test_a_disk_that_runs_full_in_answering(
    name: str, run: Path, tmp_path: Path, full_disk: Full, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with full_disk(100):
        assert call(monkeypatch, "recommend", run, "--all-users", "-o", tmp_path / name) == 2
    assert f"{name} cannot be written (File too large)" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_begin_from_the_data(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """init, check, train: nothing written by hand."""
    monkeypatch.chdir(tmp_path)
    assert call(monkeypatch, "init", shop / "events.csv", "--items", shop / "items.csv") == 0
    said = (tmp_path / "germane.toml").read_text()
    assert 'context = ["weather", "degrees"]' in said and 'text = ["title"]' in said and 'time = "time"' in said
    assert call(monkeypatch, "init", shop / "events.csv") == 2
    small = ("--set", "text.use=HashedText", "--set", "model.width=16", "--set", "training.epochs=1")
    assert call(monkeypatch, "check", "germane.toml", *small) == 0
    assert call(monkeypatch, "train", "germane.toml", "-o", "run", "--quiet", *small) == 0
    (tmp_path / "odd.csv").write_text("a,b\n1,2\n")
    assert call(monkeypatch, "init", "odd.csv", "-o", "odd.toml") == 2
    assert "looks like the user" in capsys.readouterr().err and not (tmp_path / "odd.toml").exists()


def test_version_and_help(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"germane {__version__}\n"
    for words in ((), ("train",), ("recommend",), ("weights", "get")):
        assert call(monkeypatch, *words, "--help") == 0
        assert "Usage: germane" in capsys.readouterr().out
    assert call(monkeypatch, "weights", "list", "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["licence"]


def test_what_check_and_init_tell_machines(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(monkeypatch, "check", shop / "shop.toml", "--json", "--no-estimate") == 0
    assert json.loads(capsys.readouterr().out)["split"]["name"] == "leave-last-out"
    assert call(monkeypatch, "init", shop / "events.csv", "-o", tmp_path / "c.toml", "--json") == 0
    assert json.loads(capsys.readouterr().out)["columns"]["user"] == "user"


def test_options_are_searched(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    command = ("search", shop / "shop.toml", "-o", tmp_path / "out", "--set", "model={use='ItemNeighbours'}", "--quiet")
    assert call(monkeypatch, *command, "--trials", 4, "--time", "1h") == 0
    said = capsys.readouterr().out
    assert "the config as it stood:" in said and "germane train" in said and (tmp_path / "out" / "best.toml").exists()
    assert call(monkeypatch, *command, "--trials", 5, "--resume", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["trials"] == 5 and told["best"]["validation"] >= told["defaults"]["validation"]
    assert call(monkeypatch, *command, "--time", "30") == 2
    assert "--time '30' should be a number above 0 and s, m or h" in capsys.readouterr().err


def test_an_interrupted_search_says_what_it_left(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @contextmanager
    def bar(*given: object) -> Iterator[Callable[[int, int], None]]:
        def told(done: int, of: int) -> None:
            if done == 2:
                raise KeyboardInterrupt

        yield told

    monkeypatch.setattr("germane.jobs.show.bar", bar)
    command = ("search", shop / "shop.toml", "-o", tmp_path / "out", "--set", "model={use='ItemNeighbours'}", "--trials", 5)
    assert call(monkeypatch, *command) == 130
    assert f"interrupted: {tmp_path / 'out' / 'best.toml'} holds the best of 2 trials; --resume goes on." in capsys.readouterr().err.splitlines()


def test_a_run_from_a_table_alone(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    small = ("--set", "text.use=HashedText", "--set", "model.width=8", "--set", "training.epochs=1", "--trials", 1)
    assert call(monkeypatch, "auto", shop / "events.csv", "--items", shop / "items.csv", "-o", tmp_path / "run", *small, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["columns"]["user"] == "user" and told["rows"][0]["split"] == "test" and told["search"]["trials"] == 1
    assert call(monkeypatch, "auto", shop / "events.csv", "-o", tmp_path / "run", *small) == 2
