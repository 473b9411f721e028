"""Paired tests between runs: the same users, one run's figures against the other's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np

from ...errors import ConfigError, nearest
from ...metrics.significance import bootstrap_interval, holm, paired_test
from ..beside import OF_LISTS
from ..figures import first_metric, smaller_is_better
from .runs import ReadRun

__all__ = ["SURE", "Paired", "choose_metric", "paired_tests"]

SURE = 0.05
"""Below this p, adjusted for all that was asked, a run is called better."""


@dataclass(frozen=True)
class Paired:
    """Two runs on one segment."""

    before: str
    after: str
    segment: str
    users: int
    """That both were judged on."""
    before_value: float
    after_value: float
    difference: float
    """After less before, over these users."""
    low: float
    high: float
    """Of the difference, 95 %."""
    p: float
    p_adjusted: float = 1.0
    """Holm's, for all tests of a report."""
    better: str | None = None
    """The run that is shown to be better; None: neither."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def choose_metric(runs: Sequence[ReadRun], metric: str | None) -> str:
    """The figure asked for, or the first that all runs tell of single users."""
    for run in runs:
        if not set(run.users.columns) - {"user", "segment"}:
            raise ConfigError(
                f"{run.folder} holds no figures of single users, since it was not judged: train it from a config that holds out a part."
            )
    none = {"user", "segment", *OF_LISTS}  # of lists as a whole: older runs repeat it for each user
    told = [name for name in runs[0].users.columns if name not in none and all(_tells(run, name) for run in runs)]
    if not told:
        raise ConfigError("these runs share no figure of single users: were they judged on lists of the same length and on the same heads?")
    if metric is None:
        leading = first_metric(runs[0].rows)
        return leading if leading in told else told[0]
    if metric not in told:
        raise ConfigError(f"--metric {metric!r}: choose from {', '.join(told)}.{nearest(metric, told)}")
    return metric


def _tells(run: ReadRun, metric: str) -> bool:
    """A column of a head that the run does not have is there, and empty."""
    return metric in run.users.columns and run.users[metric].count() > 0


def paired_tests(runs: Sequence[ReadRun], metric: str, seed: int = 0) -> tuple[list[Paired], list[str]]:
    """Every two runs that can be compared, on every segment that both have; and a sentence for every two that cannot.

    Where no two can, that is an error, since nothing would be left to report.
    """
    found: list[Paired] = []
    refused: list[str] = []
    for before, after in combinations(runs, 2):
        why = after.unlike(before)
        if why is not None:
            refused.append(f"{before.name} and {after.name} are not compared: {why}.")
            continue
        found += [test for segment in _segments(before) if (test := _test(before, after, segment, metric, seed)) is not None]
    if not found:
        raise ConfigError(refused or [f"no user was judged in both runs on {metric}."])
    adjusted = holm([test.p for test in found])
    return [_decided(replace(test, p_adjusted=float(p)), smaller_is_better(metric)) for test, p in zip(found, adjusted, strict=True)], refused


def _segments(run: ReadRun) -> list[str]:
    return run.users["segment"].unique(maintain_order=True).to_list()


def _test(before: ReadRun, after: ReadRun, segment: str, metric: str, seed: int) -> Paired | None:
    one, two = (run.users.filter(segment=segment).select("user", metric) for run in (before, after))
    both = one.join(two, on="user", suffix=" after").drop_nulls().sort("user")
    if not both.height:
        return None
    a, b = (both[name].to_numpy().astype(np.float64) for name in (metric, f"{metric} after"))
    low, high = bootstrap_interval(b - a, seed=seed)
    return Paired(
        before.name,
        after.name,
        segment,
        both.height,
        float(a.mean()),
        float(b.mean()),
        float((b - a).mean()),
        low,
        high,
        paired_test(b, a, seed=seed),
    )


def _decided(test: Paired, smaller: bool) -> Paired:
    if test.p_adjusted >= SURE or test.difference == 0:
        return test
    return replace(test, better=test.after if (test.difference < 0) == smaller else test.before)
