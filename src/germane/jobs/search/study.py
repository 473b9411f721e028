"""The study that remembers trials: where it lies, what it was begun with, what came of it. All of Optuna that is not a range stands here."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ...config import Config
from ...data.addresses import database_url, safe
from ...errors import AbilityError, ConfigError, RunError
from .space import Space
from .trial import Task

if TYPE_CHECKING:
    from optuna import Study
    from optuna.pruners import BasePruner
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

__all__ = ["Attempt", "Place", "attempts", "begin", "check_optuna", "importances", "resumed"]

Direction = Literal["minimize", "maximize"]
State = Literal["done", "pruned", "stopped", "failed", "interrupted", "running"]
ENOUGH = 4
"""Trials that ended, below which importances say nothing."""
BEST_SHARE = 0.25
"""Of the trials: what matters is what sets them apart from all."""
PATIENT = 4
"""Trials that end before any is compared with them and given up."""


@dataclass(frozen=True)
class Place:
    """Where a study lies: an address, and a name in it."""

    address: str
    name: str

    @classmethod
    def of(cls, out: Path, storage: str | None) -> Place:
        if storage is not None:
            return cls(storage, out.resolve().name)
        from sqlalchemy import URL

        return cls(URL.create("sqlite", database=str((out / "study.db").resolve())).render_as_string(), out.resolve().name)

    def __str__(self) -> str:
        return f"{self.name} in {safe(self.address)}"

    def forget(self) -> None:
        """The study goes, and what was tried with it."""
        import optuna

        optuna.delete_study(study_name=self.name, storage=self._storage())

    def _storage(self) -> BaseStorage:
        from optuna.storages import RDBStorage
        from sqlalchemy.pool import NullPool

        url = database_url(self.address, "--storage")
        # Trials take minutes: a server keeps no connection open between them.
        waits = {"connect_args": {"timeout": 120}} if url.get_backend_name() == "sqlite" else {"poolclass": NullPool}
        return RDBStorage(url.render_as_string(hide_password=False).replace("{", "{{").replace("}", "}}"), engine_kwargs=waits)

    def open(self, seed: int, pruner: BasePruner, direction: Direction | None = None) -> Study:
        """The study, for this process: TPE draws from ``seed``. ``direction``: of a new one."""
        import optuna
        from optuna.samplers import TPESampler
        from sqlalchemy.exc import SQLAlchemyError

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        try:
            storage = self._storage()
            if direction is not None:
                return optuna.create_study(storage=storage, study_name=self.name, sampler=TPESampler(seed=seed), pruner=pruner, direction=direction)
            return optuna.load_study(storage=storage, study_name=self.name, sampler=TPESampler(seed=seed), pruner=pruner)
        except optuna.exceptions.DuplicatedStudyError:
            raise RunError(f"there is a study {self} already: add --resume to go on with it, or choose another folder.") from None
        except KeyError:
            raise RunError(f"there is no study {self} to go on with: leave --resume out.") from None
        except ImportError as error:
            raise ConfigError(
                f"--storage {safe(self.address)!r} needs a driver that is not installed: {_first_line(error.__cause__ or error)}."
            ) from None
        except SQLAlchemyError as error:
            raise ConfigError(f"--storage {safe(self.address)!r}: {_first_line(getattr(error, 'orig', None) or error)}.") from None
        except (RuntimeError, optuna.exceptions.StorageInternalError) as error:  # made by another version of Optuna, or unreachable
            raise ConfigError(f"--storage {safe(self.address)!r} holds no study that can be read: {_first_line(error)}.") from None


@dataclass(frozen=True)
class Attempt:
    """A trial as it is told of."""

    number: int
    state: State
    own: bool
    """Whether it is the config as it stands."""
    options: Mapping[str, Any]
    validation: float | None
    epochs: int | None
    """Of the best weights; 0 where the model is counted."""
    seconds: float | None
    reason: str | None = field(default=None)
    """Why it failed."""

    @property
    def counts(self) -> bool:
        """Whether it is one of the trials that were asked for."""
        return self.state != "interrupted"

    @property
    def may_win(self) -> bool:
        return self.validation is not None and self.state in ("done", "stopped")

    def as_json(self) -> dict[str, Any]:
        told: dict[str, Any] = {"number": self.number, "state": self.state, "config_as_it_stands": self.own, "options": dict(self.options)}
        told |= {"validation": self.validation, "epochs": self.epochs, "seconds": None if self.seconds is None else round(self.seconds, 2)}
        return told | ({"reason": self.reason} if self.reason else {})


def check_optuna() -> None:
    if find_spec("optuna") is None:
        raise AbilityError("germane search is run by the library Optuna, which is not installed: pip install 'germane[search]'.")


def pruner(config: Config) -> BasePruner:
    from optuna.pruners import HyperbandPruner, MedianPruner, NopPruner

    if config.search.pruning == "median":
        return MedianPruner(n_startup_trials=PATIENT, n_warmup_steps=2)
    if config.search.pruning == "hyperband":
        return HyperbandPruner(min_resource=1, max_resource=max(2, config.training.epochs), reduction_factor=3)
    return NopPruner()


def begin(place: Place, task: Task, space: Space, seed: int) -> Study:
    """A new study, whose first trial will be the config as it stands."""
    study = place.open(seed, pruner(task.config), "minimize" if task.smaller_is_better else "maximize")
    for name, value in _stamp(task, space).items():
        study.set_user_attr(name, value)
    study.enqueue_trial(space.own_params(), user_attrs={"own": True})
    return study


def resumed(place: Place, task: Task, space: Space, seed: int, *, alone: bool) -> Study:
    """A study to go on with, refused where its trials could not be compared with those to come. ``alone``: nobody else works on it."""
    import optuna

    study = place.open(seed, pruner(task.config))
    said, now = study.user_attrs, _stamp(task, space)
    differ = {"space": "another search space", "config": "another config", "data": "other data"}
    found = [what for name, what in differ.items() if said.get(name) != now[name]]
    if found:
        raise RunError(f"the study {place} was begun with {' and '.join(found)}: its trials cannot be compared; choose another folder.")
    if alone:
        for left in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
            study.tell(left.number, state=optuna.trial.TrialState.FAIL)
    tried = attempts(study, space)
    if not any(one.own and (one.counts or one.state == "running") for one in tried):
        study.enqueue_trial(space.own_params(), user_attrs={"own": True}, skip_if_exists=True)
    return study


def attempts(study: Study, space: Space) -> list[Attempt]:
    """All trials that began, in order, but for settings that came up again."""
    from optuna.trial import TrialState

    began = (trial for trial in study.get_trials(deepcopy=False) if trial.state != TrialState.WAITING)
    return [_attempt(trial) for trial in began if "again" not in trial.user_attrs]


def importances(study: Study, tried: list[Attempt]) -> dict[str, float]:
    """How much each option sets the best quarter of the finished trials apart from all (PED-ANOVA; Watanabe et al., 2023); shares that sum to 1.

    Empty where too few trials ended to say anything.
    """
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    if sum(one.state == "done" for one in tried) < ENOUGH:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that few trials make it inexact is said in docs/search.md
        found = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator(target_quantile=BEST_SHARE))
    return {name: float(value) for name, value in found.items()} if all(map(math.isfinite, found.values())) else {}


def _stamp(task: Task, space: Space) -> dict[str, str]:
    return {"space": space.stamp, "metric": task.metric, **task.stamp}


def _attempt(trial: FrozenTrial) -> Attempt:
    from optuna.trial import TrialState

    told = trial.user_attrs
    states: dict[TrialState, State] = {TrialState.COMPLETE: "done", TrialState.PRUNED: "pruned", TrialState.RUNNING: "running"}
    state = states.get(trial.state, "failed" if "reason" in told else "interrupted")
    if told.get("cut") and state == "pruned":
        state = "stopped"
    options = json.loads(told["options"]) if "options" in told else {}
    return Attempt(
        trial.number, state, bool(told.get("own")), options, told.get("figure"), told.get("epochs"), told.get("seconds"), told.get("reason")
    )


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
