"""Lists for the queries of a file, for everyone, or for one moment at the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from ..bundle import load
from ..component import build
from ..config import apply
from ..errors import ConfigError, QueryError
from ..policies import Policy
from ..recommender import Recommender
from ..types import Query, Slate
from ..wire import query_from_line
from .brought import read_brought

__all__ = ["answer_all", "answer_file", "answer_one", "check_length", "context_of", "open_run"]

BATCH = 256
"""Queries that are answered together."""

Told = Callable[[int, int], None]
"""Hears how many of how many are answered."""


def open_run(run: str | Path, *, items: str | Path | None = None, sets: Sequence[str] = (), trust: str | Path | None = None) -> Recommender:
    """A saved run with items that it has never seen, and with its policy changed by ``policy.key=value``."""
    recommender = load(run, trust=trust)
    if sets:
        recommender.policy = _changed(recommender.policy, sets)
    if items is not None:
        recommender.add_items(read_brought(run, items))
    return recommender


def answer_file(
    recommender: Recommender, queries: str | Path, n: int = 10, *, seed: int | None = None, explore: bool = True, told: Told | None = None
) -> Iterator[Slate]:
    """A slate for each line of JSON, in order, each with a fresh draw. A line's own ``n``, ``explain`` and ``explore`` go before those said here.

    The whole file is checked first: a line that is no query, or none that this run can answer, is named by its number, and nothing is answered.
    """
    check_length(n)
    asked = _read(Path(queries), recommender)
    rng = _rng(recommender, seed)
    wishes = {"n": n, "explain": True, "explore": explore}
    done = 0
    for own, group in groupby(asked, key=lambda line: {**wishes, **line[1]}):
        for batch in _batches([query for query, _ in group], BATCH):
            yield from recommender.recommend_many(batch, own["n"], rng=rng, explore=own["explore"], explain=own["explain"])
            done += len(batch)
            if told is not None:
                told(done, len(asked))


def answer_all(recommender: Recommender, n: int = 10, *, seed: int | None = None, explore: bool = True, told: Told | None = None) -> Iterator[Slate]:
    """A slate for each known user, at the newest training time, without reasons."""
    check_length(n)
    rng = _rng(recommender, seed)
    users = list(recommender.people.codes)
    done = 0
    for batch in _batches(users, BATCH):
        yield from recommender.recommend_many([Query(user=user) for user in batch], n, rng=rng, explore=explore, explain=False)
        done += len(batch)
        if told is not None:
            told(done, len(users))


def answer_one(recommender: Recommender, query: Query, n: int = 10, *, seed: int | None = None, explore: bool = True) -> Slate:
    """The list for one moment, with its reasons."""
    check_length(n)
    return recommender.recommend(query, n, rng=_rng(recommender, seed), explore=explore, explain=True)


def check_length(n: int) -> None:
    """Refuse an impossible length before anything is loaded."""
    if not 1 <= n <= 1000:
        raise QueryError(f"-k {n}: how many items to return lies between 1 and 1,000.", "n")


def context_of(given: Iterable[str]) -> dict[str, Any]:
    """``name=value`` words of the command line.

    >>> context_of(["weather=rain"])
    {'weather': 'rain'}
    """
    context: dict[str, Any] = {}
    for word in given:
        name, equals, value = word.partition("=")
        if not equals or not name.strip():
            raise QueryError(f"--context {word!r}: write name=value, such as weather=rain.", "context")
        context[name.strip()] = value.strip()
    return context


def _read(path: Path, recommender: Recommender) -> list[tuple[Query, dict[str, Any]]]:
    if not path.is_file():
        raise ConfigError(f'{path} is not there: --queries takes a file of JSON lines, such as {{"user": "u1"}}.')
    asked: list[tuple[Query, dict[str, Any]]] = []
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    asked.append(query_from_line(line))
                    recommender.check(asked[-1][0])
                except QueryError as error:
                    raise QueryError(f"{path}, line {number}: {error}", error.field) from None
    return asked


def _batches(things: list[Any], size: int) -> Iterator[list[Any]]:
    for begin in range(0, len(things), size):
        yield things[begin : begin + size]


def _rng(recommender: Recommender, seed: int | None) -> np.random.Generator:
    if seed is not None and seed < 0:
        raise ConfigError(f"--seed {seed}: a whole number from 0 on is needed.")
    return np.random.default_rng(recommender.seed if seed is None else seed)


def _changed(policy: Policy, sets: Sequence[str]) -> Policy:
    """The policy with options changed; ``policy.use`` begins anew from the defaults of the class it names."""
    from .. import policies

    kind = type(policy)
    name = kind.__name__ if getattr(policies, kind.__name__, None) is kind else f"{kind.__module__}:{kind.__name__}"
    document: dict[str, Any] = {"policy": {}}
    for change in sets:
        if change.partition(".")[0].strip() != "policy":
            raise ConfigError(f"--set {change!r}: of a trained run only the policy can be changed here, such as policy.epsilon=0.1.")
        apply(document, change)
    section = document["policy"]
    if not isinstance(section, dict):
        raise ConfigError(f"--set policy={section!r}: write policy.use=… or policy.key=value.")
    made: Policy = build(section if "use" in section else {"use": name, **policy.settings(), **section}, policies, Policy, "[policy]")
    return made
