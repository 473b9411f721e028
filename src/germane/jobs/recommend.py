"""Lists for queries of a file, for everyone, or for one person at the terminal; and scores of pairs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl

from ..bundle import load
from ..data.readers import read_files
from ..errors import ConfigError, QueryError
from ..recommender import Recommender
from ..types import Query, Slate
from ..wire import query_from_line, slate_to_json

__all__ = ["everyone", "from_file", "score_file", "write_lists"]


def from_file(
    run: str | Path, queries: str | Path, n: int, *, items: str | Path | None = None, seed: int | None = None, explore: bool = True
) -> list[Slate]:
    """A slate for each line; a line that is no query is named by its number."""
    recommender = load(run)
    if items is not None:
        recommender.add_items(read_files(str(items), Path()).frame)
    path = Path(queries)
    if not path.is_file():
        raise ConfigError(f"{path} is not there: --queries takes a file of JSON lines.")
    asked = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        if line.strip():
            try:
                asked.append(query_from_line(line)[0])
            except QueryError as error:
                raise QueryError(f"{path}, line {number}: {error}", error.field) from None
    rng = np.random.default_rng(recommender.seed if seed is None else seed)
    return recommender.recommend_many(asked, n, rng=rng, explore=explore, explain=True)


def everyone(recommender: Recommender, n: int, *, seed: int | None = None, explore: bool = True) -> list[Slate]:
    """A slate for each known user, at the newest training time."""
    rng = np.random.default_rng(recommender.seed if seed is None else seed)
    return recommender.recommend_many([Query(user=user) for user in recommender.user_ids], n, rng=rng, explore=explore)


def write_lists(slates: Sequence[Slate], path: str | Path) -> None:
    """.jsonl: a slate a line; .csv and .parquet: a row a place."""
    target = Path(path)
    if target.suffix == ".jsonl":
        _put(target, b"".join(msgspec.json.encode(slate_to_json(slate)) + b"\n" for slate in slates))
        return
    rows = [
        {
            "recommendation_id": s.recommendation_id,
            "user": s.user,
            "position": i.position,
            "item": i.item,
            "score": i.score,
            "propensity": i.propensity,
        }
        for s in slates
        for i in s.items
    ]
    write_frame(pl.DataFrame(rows), target)


def write_frame(frame: pl.DataFrame, target: Path) -> None:
    new = target.with_name(f".{target.name}.new")
    try:
        if target.suffix == ".parquet":
            frame.write_parquet(new)
        elif target.suffix in (".csv", ".tsv"):
            frame.write_csv(new, separator="," if target.suffix == ".csv" else "\t")
        elif target.suffix == ".jsonl":
            frame.write_ndjson(new)
        else:
            raise ConfigError(f"{target} ends in {target.suffix or 'nothing'}: results end in .jsonl, .csv, .tsv or .parquet.")
        os.replace(new, target)
    except OSError as error:
        raise ConfigError(f"{target} cannot be written ({error.strerror or error}).") from None


def score_file(run: str | Path, pairs: str | Path, out: str | Path, head: str | None = None) -> int:
    """Append ``score`` to a file of (user, item) rows."""
    recommender = load(run)
    frame = read_files(str(pairs), Path()).frame
    write_frame(frame.with_columns(pl.Series("score", recommender.score(frame, head))), Path(out))
    return int(frame.height)


def context_of(given: Iterable[str]) -> dict[str, Any]:
    """``name=value`` words of the command line.

    >>> context_of(["weather=rain"])
    {'weather': 'rain'}
    """
    context: dict[str, Any] = {}
    for word in given:
        name, equals, value = word.partition("=")
        if not equals:
            raise QueryError(f"--context {word!r}: write name=value.", "context")
        context[name] = value
    return context


def _put(target: Path, data: bytes) -> None:
    new = target.with_name(f".{target.name}.new")
    try:
        new.write_bytes(data)
        os.replace(new, target)
    except OSError as error:
        raise ConfigError(f"{target} cannot be written ({error.strerror or error}).") from None
