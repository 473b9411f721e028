from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest

from germane.config import Config
from germane.errors import ConfigError, RunError, TrainingError
from germane.jobs.run import train_run
from germane.jobs.search import left_in, search
from germane.jobs.search.trial import Task

Writes = Callable[..., Path]
TWO = 'space = {"training.learning_rate" = [1e-6, 0.01]}\nonly = []'


def test_the_winner_is_at_least_the_config_as_it_stood(counted: Writes, shop: Path) -> None:
    found = search(counted(), shop / "out", trials=8)
    assert found.attempts[0].own and found.attempts[0].options == {"model.neighbours": 200, "model.shrink": 10.0, "model.fade": 0.95}
    assert found.own is not None and found.best.validation is not None and found.own.validation is not None
    assert found.best.validation == max(one.validation or 0.0 for one in found.attempts) >= found.own.validation
    assert len(found.attempts) == 8 and {one.state for one in found.attempts} == {"done"}


def test_what_is_written_tells_all_and_trains(learned: Writes, shop: Path) -> None:
    found = search(learned(TWO, '[evaluation]\nvariants = []\nsegments = ["all"]'), shop / "deep" / "out", trials=3)
    written = json.loads((shop / "deep" / "out" / "search.json").read_text())
    trials = json.loads((shop / "deep" / "out" / "trials.json").read_text())["trials"]
    assert written["defaults"]["options"] == {"training.learning_rate": 0.002} and written["budget"]["trials"] == 3
    assert written["best"] == found.best.as_json() == max(trials, key=lambda one: one["validation"])
    assert {one["options"]["training.learning_rate"] for one in trials} == {0.002, 1e-6, 0.01}
    best = shop / "deep" / "out" / "best.toml"
    said = tomllib.loads(best.read_text())
    assert said["data"]["events"] == "../../events.csv" and "search" not in said and "test part was not looked at" in best.read_text()
    assert said["training"]["learning_rate"] == 0.01 and said["training"]["epochs"] == found.best.epochs
    run, _ = train_run(best, shop / "run")
    assert json.loads((run / "about.json").read_text())["curve"][2]["validation"] == pytest.approx(found.best.validation)


def test_the_test_part_is_out_of_sight(learned: Writes, shop: Path) -> None:
    config = Config.read(learned(TWO))
    task = Task(config)
    parts = config.split.divide(task.dataset)
    assert len(parts.test) and len(task.split.test) == 0 and len(task.split.validation) == len(parts.validation)


def test_resume_goes_on_and_does_not_begin_again(counted: Writes, shop: Path) -> None:
    first = search(counted(), shop / "out", trials=3)
    more = search(counted(), shop / "out", trials=6, resume=True)
    assert [one.number for one in more.attempts] == list(range(6))
    assert [one.as_json() for one in more.attempts[:3]] == [one.as_json() for one in first.attempts]
    assert sum(one.own for one in more.attempts) == 1
    assert len({json.dumps(dict(one.options)) for one in more.attempts}) == 6  # and does not draw what it drew before
    assert len(search(counted(), shop / "out", trials=6, resume=True).attempts) == 6


def test_a_study_of_something_else_is_refused(counted: Writes, shop: Path) -> None:
    search(counted(), shop / "out", trials=1)
    with pytest.raises(RunError, match="add --resume"):
        search(counted(), shop / "out", trials=2)
    with pytest.raises(RunError, match=r"begun with another search space and another config|begun with another search space:"):
        search(counted('space = {"model.fade" = [0.5, 0.6]}'), shop / "out", trials=2, resume=True)
    with pytest.raises(RunError, match="begun with another config:"):
        search(counted("trials = 9"), shop / "out", trials=2, resume=True, sets=["seed=3"])
    events = (shop / "events.csv").read_text().splitlines()
    (shop / "events.csv").write_text("\n".join(events[:-1]))
    with pytest.raises(RunError, match="begun with other data:"):
        search(counted(), shop / "out", trials=2, resume=True)
    with pytest.raises(RunError, match="no search to go on with"):
        search(counted(), shop / "elsewhere", resume=True)
    assert not (shop / "elsewhere").exists()


@pytest.mark.parametrize("elsewhere", [False, True])
def test_what_cannot_be_trained_leaves_its_place_free(elsewhere: bool, learned: Writes, shop: Path) -> None:
    storage = f"sqlite:///{shop}/studies.db" if elsewhere else None
    with pytest.raises(TrainingError, match="the config as it stands cannot be trained"):
        search(learned(TWO), shop / "out", trials=2, sets=["model.heads=3"], storage=storage)
    assert not (shop / "out").exists()
    assert search(learned(TWO), shop / "out", trials=1, storage=storage).best.own


def test_the_time_ends_it(learned: Writes, shop: Path) -> None:
    """Of a trial: it is cut, and what it had reached by then counts."""
    found = search(learned(TWO), shop / "out", sets=["training.epochs=3000"], longest=0.0, trials=2)
    assert [one.state for one in found.attempts] == ["stopped", "stopped"] and found.best.epochs == 1
    assert found.best.validation is not None and found.own is not None
    said = tomllib.loads((shop / "out" / "best.toml").read_text())
    assert said["training"]["epochs"] == 1


def test_without_time_for_one_figure_there_is_no_winner(learned: Writes, shop: Path) -> None:
    with pytest.raises(TrainingError, match=r"the time ended before the first trial .* give more by --time, and add --resume\.$"):
        search(learned(TWO), shop / "out", seconds=1e-9)
    found = search(learned(TWO), shop / "out", trials=1, resume=True)
    assert found.best.own and not (shop / "out" / "importances.svg").exists()


def test_an_interrupt_leaves_what_was_found(learned: Writes, shop: Path) -> None:
    def enough(done: int, of: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(learned("pruning = 'none'"), shop / "out", trials=5, told=enough)
    assert Config.read(shop / "out" / "best.toml").training.epochs <= 3
    trials = json.loads((shop / "out" / "trials.json").read_text())["trials"]
    assert [one["state"] for one in trials] == ["done", "done"]


@pytest.mark.parametrize("elsewhere", [False, True])
def test_an_interrupt_before_the_first_figure_leaves_nothing(elsewhere: bool, learned: Writes, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = f"sqlite:///{shop}/studies.db" if elsewhere else None

    def never(*given: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Task, "run", never)
        with pytest.raises(KeyboardInterrupt):
            search(learned(TWO), shop / "out", storage=storage)
    assert not (shop / "out").exists() and left_in(shop / "out") == ""
    assert search(learned(TWO), shop / "out", trials=1, storage=storage).best.own


def test_seconds_spent_are_those_of_all_sessions(counted: Writes, shop: Path) -> None:
    search(counted(), shop / "out", trials=1)
    study = optuna.load_study(study_name="out", storage=f"sqlite:///{shop / 'out' / 'study.db'}")
    assert json.loads((shop / "out" / "search.json").read_text())["spent"]["seconds"] == round(study.user_attrs["seconds"], 1)
    study.set_user_attr("seconds", 1e6)
    search(counted(), shop / "out", trials=2, resume=True)
    spent = json.loads((shop / "out" / "search.json").read_text())["spent"]
    assert spent["trials"] == 2 and spent["seconds"] >= 1e6


def test_bad_input_is_one_sentence(counted: Writes, learned: Writes, shop: Path) -> None:
    with pytest.raises(ConfigError, match="--jobs 0"):
        search(counted(), shop / "out", jobs=0)
    with pytest.raises(ConfigError, match="--trials 0"):
        search(counted(), shop / "out", trials=0)
    with pytest.raises(ConfigError, match=r"\[split\] use = 'LeaveLastOut' holds none out"):
        search(counted(), shop / "out", sets=["split.validation=0"])
    with pytest.raises(ConfigError, match=r"\[ranker\] learns from the validation"):
        search(learned(TWO, '[ranker]\nuse = "CrossNetwork"'), shop / "out")
    with pytest.raises(ConfigError, match="holds a password"):
        search(counted(), shop / "out", storage="postgresql://me:secret@localhost/studies")
    with pytest.raises(ConfigError, match=r"--storage 'postgresql://me@127\.0\.0\.1:1/studies'"):  # no driver, or nobody there
        search(counted(), shop / "out", storage="postgresql://me@127.0.0.1:1/studies")
    (shop / "broken.db").write_text("no database at all, whatever its name says, and long enough to be looked at")
    with pytest.raises(ConfigError, match="--storage"):
        search(counted(), shop / "out", storage=f"sqlite:///{shop}/broken.db")
    (shop / "file").write_text("")
    with pytest.raises(RunError, match="is a file"):
        search(counted(), shop / "file")
    assert not (shop / "out").exists()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_study_may_lie_in_a_database(
    counted: Writes, shop: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, kind: str
) -> None:
    monkeypatch.setenv("STUDIES", f"sqlite:///{shop / 'studies.db'}" if kind == "sqlite" else request.getfixturevalue("postgres"))
    for name in ("one", "two"):
        search(counted(), shop / name, trials=2, storage="env:STUDIES")
        assert not (shop / name / "study.db").exists()
    with pytest.raises(RunError, match="there is a study one in env:STUDIES already: add --resume"):
        search(counted(), shop / "more" / "one", storage="env:STUDIES")
    assert len(search(counted(), shop / "more" / "one", trials=3, storage="env:STUDIES", resume=True).attempts) == 3
    assert json.loads((shop / "two" / "search.json").read_text())["study"] == {"storage": "env:STUDIES", "name": "two"}
