"""Text files in a source's own form, one regular expression a line: what does not fit is an error that names the line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from ...errors import DataError
from ..tables import Table

__all__ = ["read_lines"]


def read_lines(file: Path, pattern: str, holds: str, *, header: bool = False, encodings: Sequence[str] = ("utf-8",)) -> Table:
    """A row for each line, a column for each named group of ``pattern``. Blank lines are passed over, whatever ends them.

    ``holds`` says in the error what belongs in a line. Of several encodings the first that can be read holds. Nothing is unquoted.
    """
    text = _text(file, encodings)
    lines = pl.DataFrame({"text": text.split("\n")}).select(pl.col("text").str.strip_suffix("\r")).with_row_index("line", offset=1)
    rows = lines[int(header) :].filter(pl.col("text").str.strip_chars() != "")
    if rows.height == 0:
        raise DataError(f"{file.name} is empty: a line of it holds {holds}.")
    wrong = rows.filter(~pl.col("text").str.contains(f"^(?:{pattern})$"))
    if wrong.height:
        number, line = wrong.row(0)
        raise DataError(f"{file.name}, line {number}: {line[:60]!r} stands where {holds} belong.")
    frame = rows.select(pl.col("text").str.extract_groups(f"^(?:{pattern})$")).unnest("text")
    numbers = rows["line"]
    return Table(frame, file.name, lambda row: f"{file.name}, line {numbers[row]}")


def _text(file: Path, encodings: Sequence[str]) -> str:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}.") from None
    for encoding in encodings:
        try:
            return content.decode(encoding).removeprefix("\ufeff")
        except UnicodeDecodeError:
            continue
    raise DataError(f"{file.name} is not written in {' or '.join(encodings)}.")
