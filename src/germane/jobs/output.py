"""Results to files: written beside their place and renamed when whole, so that a reader never meets half a file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import polars as pl

from ..errors import ConfigError, nearest
from ..types import Slate
from ..wire import slate_to_line
from ..writing import mask, refusal

__all__ = ["FORMS", "check_fits", "form_of", "whole", "write_frame", "write_slates", "write_text"]

FORMS = (".jsonl", ".csv", ".tsv", ".parquet")

PLACES = {
    "recommendation_id": pl.String,
    "user": pl.String,
    "position": pl.Int32,
    "item": pl.String,
    "score": pl.Float64,
    "propensity": pl.Float64,
}
"""Columns of slates as a table: a row a place."""


def form_of(path: str | Path) -> str:
    """The kind of file that a result's name asks for; called before the work begins, so that a wrong name costs nothing.

    >>> form_of("lists.parquet")
    '.parquet'
    """
    target = Path(path)
    form = target.suffix.lower()
    if form not in FORMS:
        raise ConfigError(f"{target} ends in {form or 'nothing'}: results end in {', '.join(FORMS)}.{nearest(form, FORMS)}")
    if target.is_dir():
        raise ConfigError(f"{target} is a folder: name a file for the result.")
    return form


def check_fits(frame: pl.DataFrame, path: str | Path) -> None:
    """Refuse columns that the file's form has no cells for; called before the work begins."""
    form = form_of(path)
    for name, dtype in frame.schema.items():
        if not _has_cells(form, dtype):
            others = [other for other in (".jsonl", ".parquet") if _has_cells(other, dtype)]
            instead = f"write {' or '.join(others)}" if others else "leave the column out"
            raise ConfigError(f"{path}: column {name!r} holds {dtype}, for which {form} has no cells: {instead}.")


def _has_cells(form: str, dtype: pl.DataType) -> bool:
    if form in (".csv", ".tsv"):
        return not (dtype.is_nested() or dtype in (pl.Binary, pl.Duration, pl.Object))
    if isinstance(dtype, pl.List | pl.Array):
        return _has_cells(form, dtype.inner)  # type: ignore[arg-type]
    if isinstance(dtype, pl.Struct):
        return all(_has_cells(form, field.dtype) for field in dtype.fields)  # type: ignore[arg-type]
    return dtype != pl.Object and (dtype != pl.Binary or form == ".parquet")


@contextmanager
def whole(path: str | Path) -> Iterator[IO[bytes]]:
    """A file that takes its place when the block ends well; else nothing is left, and what stood there stays."""
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise ConfigError(f"{target} cannot be written ({error.strerror or error}).") from None
    new = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        new.chmod(0o666 & ~mask())  # a temporary file is private, a result is not
        os.replace(new, target)
    except Exception as error:
        said = refusal(error)
        if said is None:
            raise
        raise ConfigError(f"{target} cannot be written ({said[1]}); what stood there before is untouched.") from None
    finally:
        new.unlink(missing_ok=True)


def write_text(text: str, path: str | Path) -> None:
    with whole(path) as file:
        file.write(text.encode())


def write_frame(frame: pl.DataFrame, path: str | Path) -> None:
    """In the form that the name asks for."""
    form = form_of(path)
    check_fits(frame, path)
    writers: dict[str, Callable[[IO[bytes]], object]] = {
        ".jsonl": lambda file: frame.write_ndjson(file),
        ".csv": lambda file: frame.write_csv(file),
        ".tsv": lambda file: frame.write_csv(file, separator="\t"),
        ".parquet": lambda file: frame.write_parquet(file),
    }
    with whole(path) as file:
        writers[form](file)


def write_slates(slates: Iterable[Slate], path: str | Path) -> int:
    """``.jsonl``: a slate a line, as it comes; else a row a place. Returns how many slates there were."""
    if form_of(path) == ".jsonl":
        count = 0
        with whole(path) as file:
            for slate in slates:
                file.write(slate_to_line(slate) + b"\n")
                count += 1
        return count
    parts: list[pl.DataFrame] = []
    waiting: list[Slate] = []
    count = 0
    for slate in slates:
        waiting.append(slate)
        count += 1
        if len(waiting) == 1024:
            parts.append(_rows(waiting))
            waiting = []
    write_frame(pl.concat([*parts, _rows(waiting)]), path)
    return count


def _rows(slates: list[Slate]) -> pl.DataFrame:
    rows = [
        (slate.recommendation_id, slate.user, shown.position, shown.item, shown.score, shown.propensity) for slate in slates for shown in slate.items
    ]
    return pl.DataFrame(rows, schema=PLACES, orient="row")
