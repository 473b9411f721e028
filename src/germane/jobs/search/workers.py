"""Who tries: this process, or several that share one study; and the budget that ends them."""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...config import Config
from ...errors import GermaneError, TrainingError
from ...training import Told
from .space import Space, space_of
from .study import Place, pruner
from .trial import Task

if TYPE_CHECKING:
    from multiprocessing.context import SpawnContext

    from optuna import Study, Trial

__all__ = ["Budget", "alone", "together"]

PATIENCE = 20.0
"""Seconds that a process has to end its step when it is told to."""
REPEATS = 100
"""Settings drawn in a row that were tried before, after which hardly any are left."""


class Budget:
    """What is left: trials, time, and the wish to go on. Shared by processes."""

    def __init__(self, trials: int, until: float, longest: float = math.inf, context: SpawnContext | None = None) -> None:
        """``until``: the time, as ``time.time()`` tells it; ``longest``: seconds that one trial may take."""
        context = context or multiprocessing.get_context("spawn")
        self.until, self.longest = until, longest
        self._left = context.Value("i", trials)
        self._stopped = context.Event()
        self.asking = context.Lock()
        """Held while a trial is asked for: SQLite locks no row, so two processes could be given the one that waits."""

    def take(self) -> bool:
        """One trial, if there is one."""
        if self.stopped or time.time() >= self.until:
            return False
        with self._left.get_lock():
            if self._left.value <= 0:
                return False
            self._left.value -= 1
            return True

    def give_back(self) -> None:
        """One that was not needed."""
        with self._left.get_lock():
            self._left.value += 1

    def stop(self) -> None:
        self._stopped.set()

    @property
    def stopped(self) -> bool:
        """Whether somebody said so, or the process that began the search is gone."""
        parent = multiprocessing.parent_process()
        return self._stopped.is_set() or (parent is not None and not parent.is_alive())


class _Cut(Exception):
    """The time is over: of the search, or of this trial."""


class _Stopped(Exception):
    """Somebody wants no more."""


class _Listener:
    """Hears a training: tells the study its validation curve, and leaves it where it is hopeless or the time is over."""

    def __init__(self, trial: Trial, task: Task, budget: Budget, own: bool) -> None:
        self.trial, self.task, self.budget, self.own = trial, task, budget, own
        self.began = time.time()
        self.best: float | None = None
        self.epoch = 0

    def __call__(self, told: Told) -> None:
        if self.task.has_curve and told.ended and told.figure is not None and math.isfinite(told.figure):
            if self.best is None or (told.figure < self.best if self.task.smaller_is_better else told.figure > self.best):
                self.best, self.epoch = told.figure, told.epoch
            self.trial.report(told.figure, told.epoch)
            if not self.own and self.trial.should_prune():
                from optuna import TrialPruned

                raise TrialPruned
        if self.budget.stopped:
            raise _Stopped
        now = time.time()
        long = now - self.began >= self.budget.longest and (self.best is not None or not self.task.has_curve)  # one figure is waited for
        if long or now >= self.budget.until:
            raise _Cut


def alone(study: Study, task: Task, space: Space, budget: Budget, done: Callable[[], object] = lambda: None) -> None:
    """Try until the budget is spent or no setting is left. ``done`` hears the end of each trial."""
    seen, repeats = _tried(study), 0
    most = space.size + (len(space.own_params()) < len(space.ranges))  # the config as it stands may lie outside
    while len(seen) < most and repeats < REPEATS and budget.take():
        trial, own, values = _drawn(study, space, budget, by_chance=repeats > 0)
        written = json.dumps(values, sort_keys=True)
        trial.set_user_attr("options", written)
        if written in seen and not own:
            _again(study, trial)
            budget.give_back()
            repeats += 1
        else:
            _try(study, trial, task, values, budget, own)
            repeats = 0
        seen = _tried(study)
        done()
        if budget.stopped:
            return


def _drawn(study: Study, space: Space, budget: Budget, *, by_chance: bool) -> tuple[Trial, bool, dict[str, Any]]:
    """What to try next: a trial, whether it is the config as it stands, its values. ``by_chance``: what was proposed last was tried before, and
    since that teaches the sampler nothing, it would propose much the same again."""
    from optuna.samplers import RandomSampler

    proposes = study.sampler
    try:
        with budget.asking:
            if by_chance:
                study.sampler = RandomSampler(seed=len(study.get_trials(deepcopy=False)))
            trial = study.ask()
        own = bool(trial.user_attrs.get("own"))
        return trial, own, space.draw(trial, own)
    finally:
        study.sampler = proposes


def _try(study: Study, trial: Trial, task: Task, values: Mapping[str, Any], budget: Budget, own: bool) -> None:
    from optuna import TrialPruned
    from optuna.trial import TrialState

    hears = _Listener(trial, task, budget, own)

    def remember(figure: float | None, epochs: int, seconds: float | None = None) -> None:
        for name, value in (("figure", figure), ("epochs", epochs), ("seconds", seconds or time.time() - hears.began)):
            trial.set_user_attr(name, value)

    try:
        tried = task.run(values, hears)
    except TrialPruned:
        remember(hears.best, hears.epoch)
        study.tell(trial, state=TrialState.PRUNED)
    except _Cut:
        remember(hears.best, hears.epoch)
        if hears.best is None:
            study.tell(trial, state=TrialState.FAIL)
        else:
            trial.set_user_attr("cut", True)
            study.tell(trial, state=TrialState.PRUNED)
    except (GermaneError, MemoryError) as error:
        reason = str(error) or "there was not enough memory"
        trial.set_user_attr("reason", reason)
        remember(None, 0)
        study.tell(trial, state=TrialState.FAIL)
        if own:
            raise TrainingError(f"the config as it stands cannot be trained, so there is nothing to compare with: {reason}") from None
    except (_Stopped, KeyboardInterrupt) as left:
        study.tell(trial, state=TrialState.FAIL)
        if isinstance(left, KeyboardInterrupt):
            raise
    else:
        if math.isfinite(tried.figure):
            remember(tried.figure, tried.epochs, tried.seconds)
            study.tell(trial, tried.figure)
        else:
            trial.set_user_attr("reason", f"{task.metric} is no number")
            study.tell(trial, state=TrialState.FAIL)


def _tried(study: Study) -> set[str]:
    """Settings that ended by themselves, with a figure or with a reason why there is none."""
    from optuna.trial import TrialState

    ended = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL))
    told = (trial.user_attrs for trial in ended if trial.state != TrialState.FAIL or "reason" in trial.user_attrs)
    return {attrs["options"] for attrs in told if "options" in attrs and "cut" not in attrs}


def _again(study: Study, trial: Trial) -> None:
    """The same settings give the same figure: it is not trained again, and no trial."""
    from optuna.trial import TrialState

    trial.set_user_attr("again", True)
    study.tell(trial, state=TrialState.FAIL)


@dataclass(frozen=True)
class _Job:
    """What another process is told: everything that it cannot read itself."""

    sections: Mapping[str, Any]
    base: Path
    place: Place
    seed: int
    threads: int


def together(config: Config, place: Place, budget: Budget, jobs: int, seed: int, waits: Callable[[], object] = lambda: None) -> None:
    """So many processes, each with the data of its own, until the budget is spent. ``waits`` is called now and then."""
    context = multiprocessing.get_context("spawn")
    faults = context.SimpleQueue()
    threads = max(1, (os.cpu_count() or 1) // jobs)
    workers = [
        context.Process(target=_work, args=(_Job(config.sections, config.base, place, seed + 1009 * n, threads), budget, faults)) for n in range(jobs)
    ]
    try:
        with _unheard():  # by the processes, from their first moment on
            for worker in workers:
                worker.start()
        while any(worker.is_alive() for worker in workers):
            workers[0].join(0.5)
            waits()
    finally:
        budget.stop()
        for worker in workers:
            if worker.pid is not None:
                worker.join(PATIENCE)
            if worker.is_alive():
                worker.terminate()
    if not faults.empty():
        raise TrainingError(faults.get())
    if any(worker.exitcode for worker in workers):
        raise TrainingError(f"a process of the search ended with {next(w.exitcode for w in workers if w.exitcode)}: with --jobs 1 it says why.")


@contextmanager
def _unheard() -> Iterator[None]:
    """Interrupts wait until the end of it, here; a process that begins meanwhile never hears one."""
    if sys.platform == "win32":  # has no way to make them wait
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(job: _Job, budget: Budget, faults: multiprocessing.SimpleQueue[str]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process hears it, and stops the others
    import torch

    torch.set_num_threads(job.threads)
    try:
        task = Task(Config.of(job.sections, job.base))
        study = job.place.open(job.seed, pruner(task.config))
        alone(study, task, space_of(task.config, task.dataset), budget)
    except GermaneError as error:
        budget.stop()
        faults.put(str(error))
