"""The first sentences of a report: which run is better on what, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence

from ..figures import number, p_value, smaller_is_better
from .paired import Paired
from .runs import ReadRun

__all__ = ["leader", "verdict"]


def leader(runs: Sequence[ReadRun], tests: Sequence[Paired], metric: str) -> str:
    """The run with the best figure among those that can be compared."""
    named = {test.before for test in tests} | {test.after for test in tests}
    values = {run.name: figure["value"] for run in runs if run.name in named and (figure := run.figure(metric)) is not None}
    if not values:  # a figure of users alone, or judged on segments that do not hold all: the users' own decide
        first = [test for test in tests if test.segment == tests[0].segment]
        values = {name: value for test in first for name, value in ((test.before, test.before_value), (test.after, test.after_value))}
    return (min if smaller_is_better(metric) else max)(values, key=lambda name: values[name])


def verdict(runs: Sequence[ReadRun], tests: Sequence[Paired], metric: str) -> list[str]:
    """Sentences; the first one says it."""
    best = leader(runs, tests, metric)
    first = tests[0].segment
    own = [test for test in tests if test.segment == "all" and best in (test.before, test.after)] or [
        test for test in tests if test.segment == first and best in (test.before, test.after)
    ]
    won, open_ = [test for test in own if test.better == best], [test for test in own if test.better != best]
    where = "" if own[0].segment == "all" else f", {own[0].segment}"
    said = []
    if won:
        said.append(f"{best} is better than {_several([_other(test, best) for test in won])} on {metric}{where}: {_how(won, best, len(tests))}.")
    if open_:
        others = _several([_other(test, best) for test in open_])
        start = f"Neither {best} nor {others} is shown to be better" if len(own) == 1 else f"{best} is not shown to be better than {others}"
        said.append(f"{start} on {metric}{where}: {_how(open_, best, len(tests))}.")
    said += [
        f"On {test.segment}, {test.better} is better than {_other(test, str(test.better))}: {_how([test], str(test.better), len(tests))}."
        for test in tests
        if test.segment != own[0].segment and test.better is not None and best in (test.before, test.after)
    ]
    spent = [f"{run.name} {told}" for run in runs if (told := _spent(run))]
    return [*said, f"They took: {'; '.join(spent)}."] if spent else said


def _spent(run: ReadRun) -> str:
    total, peak = run.about.get("seconds", {}).get("total"), run.about.get("peak_mb")
    return ", ".join([*([f"{total:,.0f} s"] if total else []), *([f"{peak:,.0f} MB at most"] if peak else [])])


def _other(test: Paired, name: str) -> str:
    return test.before if name == test.after else test.after


def _how(tests: Sequence[Paired], name: str, made: int) -> str:
    return "; ".join(_of(test, name, made) for test in tests)


def _of(test: Paired, name: str, made: int) -> str:
    """``made``: how many tests p is adjusted for."""
    forward = name == test.after
    own, other = (test.after_value, test.before_value) if forward else (test.before_value, test.after_value)
    gap, low, high = (test.difference, test.low, test.high) if forward else (-test.difference, -test.high, -test.low)
    share = f" ({gap / other:+.0%})".replace("%", " %") if other and abs(gap / other) >= 0.005 else ""
    p = p_value(test.p_adjusted)
    sure = p if p.startswith("<") else f"= {p}"
    alone = p_value(test.p)
    sure += f", adjusted for {made} tests ({alone} alone)" if alone != p else ""
    return (
        f"{number(own)} against {number(other)}{share}, a difference between {number(low)} and {number(high)} with 95 % certainty, "
        f"over {test.users:,} users, p {sure}"
    )


def _several(names: Sequence[str]) -> str:
    """
    >>> _several(["a", "b", "c"])
    'a, b and c'
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
