from __future__ import annotations

import json
import shutil
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import tomli_w

import germane
from germane.config import Config, read_toml
from germane.data import Dataset
from germane.errors import ConfigError, DataError, GermaneError, RunError
from germane.evaluation import EvaluationOptions
from germane.jobs.check import check
from germane.jobs.run import evaluate_run, train_run
from germane.training import Told, TrainingOptions

Make = Callable[..., Config]


def figures(rows: list[dict[str, Any]], segment: str = "all") -> dict[str, float]:
    return {name: figure["value"] for row in rows if row["segment"] == segment for name, figure in row["metrics"].items()}


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """30 users at 12 hours of a day, of whom each takes items of the hour's own; nobody's order of first mention is that of another order of rows."""
    rng = np.random.default_rng(3)
    rows = []
    for user in range(30):
        for step in range(8):
            hour = int(rng.integers(0, 12))
            rows.append((f"u{user}", f"i{(hour + user % 3) % 12}", 1_700_000_000 + 100 * (step * 30 + (user * 7) % 30), f"{hour}"))
    pl.DataFrame(rows, schema=["user", "item", "time", "hour"], orient="row").write_csv(tmp_path / "events.csv")
    pl.DataFrame({"item": [f"i{n}" for n in range(12)]}).write_csv(tmp_path / "items.csv")
    return tmp_path


def written(folder: Path, name: str = "shop", **sections: dict[str, Any]) -> Path:
    said: dict[str, Any] = {
        "data": {"events": "events.csv", "items": "items.csv", "columns": {"time": "time", "context": ["hour"]}},
        "model": {"use": "FactorisationMachine", "width": 8},
        "training": {"epochs": 4, "batch": 32, "warmup": 0, "learning_rate": 0.05},
        "evaluation": {"variants": [], "k": [3], "segments": ["all"], "exclude_seen": False},
    }
    said |= sections
    (folder / f"{name}.toml").write_text(tomli_w.dumps(said))
    return folder / f"{name}.toml"


def test_users_of_other_data_are_known_by_their_ids(tables: Path) -> None:
    run, judged = train_run(written(tables), tables / "run")
    events = pl.read_csv(tables / "events.csv", infer_schema=False)
    stranger = pl.DataFrame({"user": ["new", "new"], "item": ["i1", "i2"], "time": ["1600000000", "1600000001"], "hour": ["1", "2"]})
    pl.concat([stranger, events.sample(fraction=1.0, shuffle=True, seed=5)]).write_csv(tables / "shuffled.csv")
    pl.read_csv(tables / "items.csv").reverse().write_csv(tables / "turned.csv")
    data = {"events": "shuffled.csv", "items": "turned.csv", "columns": {"time": "time", "context": ["hour"]}}
    other = written(tables, "other", data=data)
    again = evaluate_run(run, config=other)
    known = again.cases.join(pl.DataFrame({"user": pl.Series(range(30))}), on="user", how="semi")
    assert known.height == judged.cases.height == 30 and again.cases.height == 31
    assert known.sort("user")["rank"].to_list() == judged.cases.sort("user")["rank"].to_list()
    assert set(pl.read_parquet(run / "per_user.parquet")["user"]) == {"new", *(f"u{n}" for n in range(30))}
    loaded = germane.load(run)
    from_python = germane.evaluate(loaded, Dataset.read(other))
    assert from_python.cases.sort("user").equals(again.cases.sort("user"))
    assert any("fingerprints differ" in note for note in again.notes) and not judged.notes


def test_items_that_the_run_does_not_hold_are_refused(tables: Path) -> None:
    run, _ = train_run(written(tables), tables / "run")
    pl.concat([pl.read_csv(tables / "items.csv"), pl.DataFrame({"item": ["i99"]})]).write_csv(tables / "more.csv")
    more = {"events": "events.csv", "items": "more.csv", "columns": {"time": "time", "context": ["hour"]}}
    assert figures(evaluate_run(run, config=written(tables, "more", data=more)).rows) == figures(evaluate_run(run).rows)  # nobody took it
    events = pl.read_csv(tables / "events.csv").with_columns(item=pl.when(pl.col("item") == "i3").then(pl.lit("i98")).otherwise("item"))
    events.write_csv(tables / "strange.csv")
    strange = {"events": "strange.csv", "columns": {"time": "time", "context": ["hour"]}}
    with pytest.raises(DataError, match=r"1 items of these data are not in the run's catalogue, such as 'i98'"):
        evaluate_run(run, config=written(tables, "strange", data=strange))


def test_columns_of_other_data_are_read_as_training_read_its_own(tables: Path) -> None:
    run, judged = train_run(written(tables), tables / "run")
    assert germane.load(run).types == {"hour": "category"}
    events = pl.read_csv(tables / "events.csv", infer_schema=False)
    odd = pl.DataFrame(
        {"user": ["odd"] * 60, "item": ["i1"] * 60, "time": [f"{1_600_000_000 + n}" for n in range(60)], "hour": [f"{n + 20}" for n in range(60)]}
    )
    pl.concat([events, pl.DataFrame(odd)]).write_csv(tables / "wide.csv")
    data = {"events": "wide.csv", "items": "items.csv", "columns": {"time": "time", "context": ["hour"]}}
    other = written(tables, "wide", data=data)
    wide = Dataset.read(other)
    assert wide.types == {"hour": "number"}  # as it is detected there
    again = evaluate_run(run, config=other)
    assert again.cases.filter(pl.col("user") < 30).sort("user")["rank"].to_list() == judged.cases.sort("user")["rank"].to_list()
    with pytest.raises(DataError, match=r"'hour' was read as 'number' here and as 'category' when .*: say hour = \"category\" in \[data.types\]"):
        germane.evaluate(germane.load(run), wide)
    with pytest.raises(ConfigError, match=r"\[data.types\] hour = 'number': the run was trained on it as 'category'"):
        evaluate_run(run, config=written(tables, "said", data={**data, "types": {"hour": "number"}}))
    with pytest.raises(DataError, match=r"these data name no 'hour', which the run reads: say it in \[data.columns\] context"):
        evaluate_run(run, config=written(tables, "less", data={**data, "columns": {"time": "time"}}))


def test_separators_and_forms_of_times_hold_for_other_data_too(tables: Path) -> None:
    events = pl.read_csv(tables / "events.csv").with_columns(
        time=pl.from_epoch("time").dt.strftime("%d.%m.%Y %H:%M"), hour=pl.format("{};h{}", pl.col("hour").cast(pl.String), pl.col("hour") % 3)
    )
    events.write_csv(tables / "written.csv")
    columns = {"time": "time", "context": ["hour"]}
    data = {"events": "written.csv", "items": "items.csv", "columns": columns}
    said = {"types": {"time": "time:%d.%m.%Y %H:%M", "hour": "categories:;"}, "timezone": "Europe/Berlin"}
    run, judged = train_run(written(tables, data={**data, **said}), tables / "run")
    again = evaluate_run(run, config=written(tables, "other", data=data))
    assert again.rows == [{**row, "p_against": {}} for row in judged.rows] and not again.notes


def test_of_another_config_the_data_and_the_split_count(tables: Path) -> None:
    run, judged = train_run(written(tables), tables / "run")
    asked = written(tables, "asked", evaluation={"k": [5], "exclude_seen": True, "baselines": ["Popular"]}, split={"use": "ByTime", "test": 0.2})
    again = evaluate_run(run, config=asked)
    assert {row["name"] for row in again.rows} == {"FactorisationMachine"} and {row["protocol"] for row in again.rows} == {"by-time"}
    assert "ndcg@3" in figures(again.rows) and "ndcg@5" not in figures(again.rows) and "left out" not in again.listed
    assert evaluate_run(run).rows == judged.rows
    with pytest.raises(ConfigError, match="only policy and evaluation can be changed"):
        evaluate_run(run, config=asked, sets=["data.events=events.csv"])
    (tables / "bare.toml").write_text("[dta]\n")
    with pytest.raises(ConfigError, match=r"bare.toml has no section \[data\]: .* Did you mean dta"):
        evaluate_run(run, config=tables / "bare.toml")


def test_what_was_judged_stands_beside_the_figures(tables: Path) -> None:
    run, _ = train_run(written(tables, split={"use": "LeaveLastOut", "validation": 0}), tables / "run")

    def told() -> dict[str, Any]:
        found: dict[str, Any] = json.loads((run / "metrics.json").read_text())
        assert found["format"] == 1 and found["rows"]
        return dict(found["judged"])

    fingerprint = json.loads((run / "about.json").read_text())["data"]["fingerprint"]
    split = {"use": "LeaveLastOut", "validation": 0}
    assert told() == {"data": fingerprint, "split": split, "exclude_seen": False, "history": "rolling", "k": [3]}
    evaluate_run(run, sets=["evaluation.exclude_seen=true", "evaluation.history=frozen"])
    assert told() == {"data": fingerprint, "split": split, "exclude_seen": True, "history": "frozen", "k": [3]}


def test_a_loaded_run_is_judged_in_python_as_it_was_trained_to_be(tables: Path) -> None:
    config = written(tables, split={"use": "ByTime", "test": 0.2}, evaluation={"k": [3], "history": "frozen", "exclude_seen": False, "variants": []})
    run, judged = train_run(config, tables / "run")
    dataset = Dataset.read(config)
    assert germane.evaluate(germane.load(run), dataset).rows == [{**row, "p_against": {}} for row in judged.rows]
    again = germane.load(germane.save(germane.load(run), tables / "again"))
    assert germane.evaluate(again, dataset).rows == germane.evaluate(germane.load(run), dataset).rows
    assert evaluate_run(tables / "again").rows == judged.rows  # it still says where its data are
    own = germane.evaluate(again, dataset, options=EvaluationOptions(k=(1,)))
    assert "ndcg@1" in figures(own.rows)


def test_a_run_saved_from_python_says_what_is_known(tables: Path) -> None:
    config = written(tables, split={"use": "ByTime", "test": 0.2})
    dataset = Dataset.read(config)
    trained = germane.train(config, dataset, training=TrainingOptions(epochs=2, warmup=0))
    run = germane.save(trained, tables / "run")
    said = read_toml(run / "config.toml")
    assert said["split"] == {"use": "ByTime", "test": 0.2} and said["training"] == {"epochs": 2, "warmup": 0} and "data" not in said
    assert said["evaluation"]["k"] == [3] and said["model"]["use"] == "FactorisationMachine"
    assert germane.evaluate(germane.load(run), dataset).rows == germane.evaluate(trained, dataset).rows
    assert "training" not in germane.train(config, dataset, training=TrainingOptions()).sections  # the defaults, whatever the config says
    with pytest.raises(RunError, match=r"does not say where its data are, .*: name a config that does by --config"):
        evaluate_run(run)
    assert figures(evaluate_run(run, config=config).rows) == figures(germane.evaluate(trained, dataset).rows)


def test_a_recommender_that_says_no_split_is_not_judged_by_a_guess(tables: Path) -> None:
    dataset = Dataset.read(written(tables))
    run = germane.save(germane.train(germane.Recommender(germane.models.Popular()), dataset), tables / "run")
    loaded = germane.load(run)
    assert germane.evaluate(loaded, dataset).rows[0]["protocol"] == "leave-last-out"
    loaded.sections = {}  # as of runs that older versions saved
    with pytest.raises(ConfigError, match="by which split this recommender was trained: say it"):
        germane.evaluate(loaded, dataset)


def test_a_runs_config_is_a_config(tables: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (tables / "configs").mkdir()
    data = {"events": "../events.csv", "items": "../items.csv", "columns": {"time": "time", "context": ["hour"]}}
    run, judged = train_run(written(tables / "configs", data=data), tables / "runs" / "a")
    assert tomllib.loads((run / "config.toml").read_text())["data"]["events"] == "../../events.csv"
    again, same = train_run(run / "config.toml", tables / "runs" / "deeper" / "b")
    assert same.rows == judged.rows
    moved = Path(shutil.move(again, tmp_path_factory.mktemp("elsewhere") / "b"))
    assert evaluate_run(moved).rows == judged.rows
    project = tmp_path_factory.mktemp("whole") / "shop"
    shutil.move(tables, project)
    assert evaluate_run(project / "runs" / "a").rows == judged.rows
    with pytest.raises(RunError, match=r"events\.csv is not there, where .*b has its data: name a config .* by --config"):
        evaluate_run(moved)
    assert evaluate_run(moved, config=project / "configs" / "shop.toml").rows == judged.rows


@pytest.mark.parametrize(
    ("sets", "said"),
    [
        (("text.use=PretrainedText", "text.model=no/where"), "no/where"),
        (("text.model=lm", "text.tuning=top:99"), "99"),
        (("model.heads=3",), "heads"),
        (("training.metric=auc",), "metric"),
        (("training.precision=fp16",), "fp16"),
    ],
)
def test_what_is_mended_finds_its_place_free(
    sets: tuple[str, ...], said: str, shop: Path, tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("GERMANE_CACHE", str(tmp_path / "cache"))
    shutil.copytree(tiny_bert, tmp_path / "lm")
    columns = {"user": "user", "item": "item", "time": "time", "context": ["weather"], "text": ["title"]}
    sections = {
        "data": {"events": str(shop / "events.csv"), "items": str(shop / "items.csv"), "columns": columns},
        "text": {"use": "PretrainedText", "model": "lm"},
        "model": {"width": 8, "blocks": 1, "length": 8},
        "training": {"epochs": 1, "warmup": 0},
        "evaluation": {"variants": []},
    }
    (tmp_path / "shop.toml").write_text(tomli_w.dumps(sections))
    for resume in (False, True):
        with pytest.raises(GermaneError, match=said):
            train_run(tmp_path / "shop.toml", f"{tmp_path}/runs/w/", sets=sets, resume=resume)
        assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").iterdir())
    train_run(tmp_path / "shop.toml", f"{tmp_path}/runs/w/")
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["w"]


def test_what_was_learnt_stays_where_something_is_to_be_mended(tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: object, **named: object) -> None:
        raise ConfigError("something to mend")

    with monkeypatch.context() as patch:
        patch.setattr("germane.jobs.run._judge", refuse)
        with pytest.raises(ConfigError, match="something to mend"):
            train_run(written(tables), tables / "run")
    assert (tables / "run.partial" / "checkpoint").is_dir()
    with pytest.raises(RunError, match="left from an interrupted training"):
        train_run(written(tables), tables / "run")
    train_run(written(tables), tables / "run", resume=True)
    assert not (tables / "run.partial").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no such locks")
def test_a_folder_that_another_training_works_in_stays_as_it_is(tables: Path) -> None:
    config = written(tables, training={"epochs": 2})
    refused: list[str] = []

    def second(told: Told) -> None:
        if told.ended and not refused:
            begun = (tables / "run.partial" / "config.toml").read_text()
            for how in ({"resume": True}, {"resume": True, "sets": ["training.batch=7"]}, {"replace": True}):
                with pytest.raises(RunError, match=r"run\.partial is in use by another training: wait for its end, or stop it first\."):
                    train_run(config, tables / "run", **how)
                refused.append((tables / "run.partial" / "config.toml").read_text())
            assert refused == [begun] * 3

    _, judged = train_run(config, tables / "run", progress=second)
    assert len(refused) == 3 and not (tables / "run.partial").exists()
    assert judged.rows == train_run(config, tables / "alone")[1].rows


def test_a_run_that_is_only_to_be_read_is_refused_before_it_is_judged(tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, _ = train_run(written(tables), tables / "run")
    monkeypatch.setattr("germane.jobs.run._judge", None)
    run.chmod(0o555)
    with pytest.raises(RunError, match="is only to be read"):
        evaluate_run(run)
    run.chmod(0o755)


def test_how_far_it_is_judged_is_told(tables: Path) -> None:
    run, _ = train_run(written(tables, evaluation={"baselines": ["Popular"], "variants": ["context shuffled"]}), tables / "run")
    heard: list[float] = []
    evaluate_run(run, told=lambda done, of: heard.append(done / of))
    assert heard == sorted(heard) and heard[-1] == 1.0 and [round(part, 2) for part in heard] == [0.33, 0.67, 1.0]


def test_a_folder_with_brackets_in_its_name_is_a_folder(tables: Path) -> None:
    shop = tables / "mein Ordner [neu]"
    shop.mkdir()
    for name in ("events.csv", "items.csv"):
        shutil.move(tables / name, shop / name)
    run, trained = train_run(written(shop), shop / "lauf [1]")
    assert figures(evaluate_run(run).rows) == pytest.approx(figures(trained.rows))
    assert len(Config.read(run / "config.toml").dataset()) == 240


def test_parts_of_files_do_not_train_unless_that_is_said(tables: Path) -> None:
    events = pl.read_csv(tables / "events.csv", infer_schema=False)
    events[:200].write_csv(tables / "first.csv")
    events[200:].write_csv(tables / "last.csv")
    data = {"events": "first.csv", "test": "last.csv", "items": "items.csv", "columns": {"time": "time", "context": ["hour"]}}
    found = check(written(tables, data=data), timed=False)
    assert [len(part) for part in (found.split.train, found.split.validation, found.split.test)] == [200, 0, 40]
    assert "unread_parts" not in {note.code for note in found.notes}
    found = check(written(tables, data=data, split={"use": "ByTime"}), timed=False)
    assert len(found.split.train) + len(found.split.validation) + len(found.split.test) == 240
    assert [note.detail for note in found.notes if note.code == "unread_parts"] == [
        'events say which part they are of, and those of validation and test train too, for they are divided by ByTime(); [split] use = "Given" '
        "keeps the parts that are said"
    ]
    shop = Dataset.from_frames(events.with_columns(part=pl.Series(["train"] * 200 + ["test"] * 40)), columns={"time": "time", "split": "part"})
    trained = germane.train(germane.Recommender(germane.models.Popular()), shop)
    assert trained.split is not None and len(trained.split.test) == 40


def test_where_nothing_can_be_judged_the_figures_stay(tables: Path) -> None:
    run, judged = train_run(written(tables, split={"use": "ByTime", "test": 0}), tables / "run")
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    assert judged.rows and judged.rows[0]["split"] == "validation" and not evaluate_run(run).rows
    assert {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()} == before
    assert figures(evaluate_run(run, split="validation").rows) == pytest.approx(figures(judged.rows))


def test_values_that_are_not_learnt_are_noted(tables: Path) -> None:
    events = pl.read_csv(tables / "events.csv").with_columns(stars=pl.int_range(pl.len()) % 5 + 1)
    events.write_csv(tables / "events.csv")
    data = {"events": "events.csv", "columns": {"time": "time", "value": "stars"}}
    said = {"data": data, "model": {"use": "BiasedMF", "width": 4}}
    (note,) = (note for note in check(written(tables, **said), timed=False).notes if note.code == "unread_values")
    assert note.detail == "value stars is not learnt, for BiasedMF learns click here; [training] heads = {rating = 1.0} learns ratings"
    for changed in ({"training": {"heads": {"rating": 1.0}}}, {"model": {"use": "ContextTransformer", "width": 8}}, {"model": {"use": "EASE"}}):
        assert "unread_values" not in {note.code for note in check(written(tables, **{**said, **changed}), timed=False).notes}
