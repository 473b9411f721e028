"""Lists for the queries of a file, for everyone, or for one moment at the terminal."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ConfigError, QueryError
from ..recommender import Recommender
from ..types import Query, Slate
from ..wire import query_from_line

__all__ = ["QueryLines", "answer_all", "answer_file", "answer_one", "check_length", "context_of", "read_queries"]

BATCH = 256
"""Queries that are answered together."""

Told = Callable[[int, int], None]
"""Hears how many of how many are answered."""


@dataclass(frozen=True)
class QueryLines:
    """What a file of queries says, for several readers: a pipe says it once."""

    source: Path
    lines: tuple[tuple[int, bytes], ...]
    """Those that say something, with their numbers."""


def read_queries(path: Path) -> QueryLines:
    if not path.exists() or path.is_dir():  # a pipe is none of either
        raise ConfigError(f'{path} is not there: --queries takes a file of JSON lines, such as {{"user": "u1"}}.')
    whole = path.read_bytes().removeprefix(codecs.BOM_UTF8)  # as some editors begin a file
    return QueryLines(path, tuple((number, line) for number, line in enumerate(whole.split(b"\n"), 1) if line.strip()))


def answer_file(
    recommender: Recommender,
    queries: str | Path | QueryLines,
    n: int = 10,
    *,
    seed: int | None = None,
    explore: bool = True,
    told: Told | None = None,
) -> Iterator[Slate]:
    """A slate for each line of JSON, in order, each with a fresh draw. A line's own ``n``, ``explain`` and ``explore`` go before those said here.

    The whole file is checked first: a line that is no query, or none that this run can answer, is named by its number, and nothing is answered.
    """
    check_length(n)
    asked = _checked(queries if isinstance(queries, QueryLines) else read_queries(Path(queries)), recommender)
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
    """A slate for each known user, at the time of the newest event that the run knows, without reasons."""
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

    A name that is said again has several values.

    >>> context_of(["weather=rain", "mood=happy", "mood=calm"])
    {'weather': 'rain', 'mood': ['happy', 'calm']}
    """
    said: dict[str, list[str]] = {}
    for word in given:
        name, equals, value = word.partition("=")
        if not equals or not name.strip():
            raise QueryError(f"--context {word!r}: write name=value, such as weather=rain.", "context")
        said.setdefault(name.strip(), []).append(value.strip())
    return {name: values if len(values) > 1 else values[0] for name, values in said.items()}


def _checked(queries: QueryLines, recommender: Recommender) -> list[tuple[Query, dict[str, Any]]]:
    asked: list[tuple[Query, dict[str, Any]]] = []
    for number, line in queries.lines:
        try:
            asked.append(query_from_line(line))
            recommender.check(asked[-1][0])
        except QueryError as error:
            raise QueryError(f"{queries.source}, line {number}: {error}", error.field) from None
    return asked


def _batches(things: list[Any], size: int) -> Iterator[list[Any]]:
    for begin in range(0, len(things), size):
        yield things[begin : begin + size]


def _rng(recommender: Recommender, seed: int | None) -> np.random.Generator:
    if seed is not None and seed < 0:
        raise ConfigError(f"--seed {seed}: a whole number from 0 on is needed.")
    return np.random.default_rng(recommender.seed if seed is None else seed)
