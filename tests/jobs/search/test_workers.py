from __future__ import annotations

import json
import multiprocessing
import multiprocessing.context
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna import Study

from germane.errors import TrainingError
from germane.jobs.search import search, workers
from germane.jobs.search.space import Space
from germane.jobs.search.workers import Budget

Writes = Callable[..., Path]


def test_a_hopeless_training_is_given_up_and_told_of_as_pruned(learned: Writes, shop: Path) -> None:
    """Some rates are too small to get anywhere."""
    rates = "[0.006, 0.007, 0.008, 0.009, 0.01, 0.011, 0.012, 0.013, 1e-7, 2e-7, 3e-7, 4e-7]"
    found = search(learned(f'only = []\nspace = {{"training.learning_rate" = {rates}}}'), shop / "out", trials=12)
    pruned = [one for one in found.attempts if one.state == "pruned"]
    assert pruned and all(one.epochs and one.validation is not None and not one.may_win for one in pruned)
    told = json.loads((shop / "out" / "trials.json").read_text())["trials"]
    assert [one["number"] for one in told if one["state"] == "pruned"] == [one.number for one in pruned]
    assert found.best.state == "done" and found.importances.keys() == {"training.learning_rate"}
    assert (shop / "out" / "importances.svg").read_text().count("training.learning_rate") == 1


def test_the_same_settings_are_not_trained_again_and_a_small_space_ends(counted: Writes, shop: Path) -> None:
    said = 'only = []\nspace = {"model.fade" = [0.5, 0.95]}'
    found = search(counted(said), shop / "out", trials=50)
    assert {one.options["model.fade"] for one in found.attempts} == {0.5, 0.95} and len(found.attempts) == 2
    assert all(one.validation is not None and one.seconds for one in found.attempts) and not found.importances  # of two, they say nothing


def test_settings_that_come_up_again_are_no_trials(counted: Writes, shop: Path) -> None:
    """As many different ones are tried as were asked for, and importances count each once."""
    said = 'only = []\nspace = {"model.fade" = [0.2, 0.4, 0.6, 0.8, 0.95], "model.neighbours" = [50, 200]}'
    found = search(counted(said), shop / "out", trials=9)
    assert len({json.dumps(dict(one.options)) for one in found.attempts}) == len(found.attempts) == 9
    assert sum(one.counts for one in found.attempts) == json.loads((shop / "out" / "search.json").read_text())["spent"]["trials"] == 9
    again = search(counted(said), shop / "out", trials=50, resume=True)
    assert len(again.attempts) == 10  # all there are
    trials = optuna.load_study(study_name="out", storage=f"sqlite:///{shop / 'out' / 'study.db'}").trials
    assert len(trials) > 10 and sum(trial.state == optuna.trial.TrialState.COMPLETE for trial in trials) == 10


def test_a_search_ends_where_nothing_new_comes_up(counted: Writes, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "REPEATS", 5)
    monkeypatch.setattr(Space, "draw", lambda space, trial, own: {"model.fade": 0.5})
    assert len(search(counted(), shop / "out", trials=50).attempts) == 1
    trials = optuna.load_study(study_name="out", storage=f"sqlite:///{shop / 'out' / 'study.db'}").trials
    assert len(trials) == 1 + 5


def test_settings_that_cannot_be_trained_are_told_of_with_the_reason(learned: Writes, shop: Path) -> None:
    found = search(learned('only = []\nspace = {"model.heads" = [2, 3]}'), shop / "out", trials=8)
    (failed,) = [one for one in found.attempts if one.options == {"model.heads": 3}]  # not tried twice
    assert failed.state == "failed" and "heads" in (failed.reason or "") and len(found.attempts) == 2
    assert f"1 trial failed: {failed.reason}" in found.notes
    found = search(learned('only = []\nspace = {"model.heads" = [2, 3, 5]}'), shop / "more", trials=8)
    assert [note for note in found.notes if note.startswith("2 trials failed: ")] and len(found.attempts) == 3
    assert found.best.options == {"model.heads": 2}
    with pytest.raises(TrainingError, match="the config as it stands cannot be trained"):
        search(learned('only = []\nspace = {"model.length" = [5, 6]}'), shop / "other", trials=3, sets=["model.heads=3"])


def test_two_processes_share_a_study(counted: Writes, shop: Path) -> None:
    found = search(counted(), shop / "out", trials=4, jobs=2)
    assert sorted(one.number for one in found.attempts) == list(range(4)) and {one.state for one in found.attempts} == {"done"}
    assert found.own is not None and found.best.validation is not None


def test_processes_that_begin_hear_no_interrupt(counted: Writes, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor one before they can say so themselves: the first process hears it, and stops the others."""
    begin, held = multiprocessing.context.SpawnProcess.start, []

    def start(process: multiprocessing.context.SpawnProcess) -> None:
        held.append(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ()))
        begin(process)

    monkeypatch.setattr(multiprocessing.context.SpawnProcess, "start", start)
    search(counted(), shop / "out", trials=2, jobs=2)
    assert held == [True, True] and signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_one_process_at_a_time_asks_for_a_trial(counted: Writes, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that asked together were given the same one now and then, and the second could not end it."""
    held: list[bool] = []
    made, ask = Budget.__init__, Study.ask
    budgets: list[Budget] = []
    monkeypatch.setattr(Budget, "__init__", lambda self, *given, **said: (made(self, *given, **said), budgets.append(self))[0])

    def asked(study: Study, *given: Any, **said: Any) -> Any:
        free = budgets[-1].asking.acquire(block=False)
        held.append(not free)
        if free:
            budgets[-1].asking.release()
        return ask(study, *given, **said)

    monkeypatch.setattr(Study, "ask", asked)
    search(counted(), shop / "out", trials=2)
    assert held == [True, True]
