"""Texts of a domain, from files: nothing but texts, which say nothing of users or items."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from ..errors import DataError, nearest
from ..paths import matching
from .readers import SUFFIXES, read_files

__all__ = ["read_corpus"]


def read_corpus(files: str | Sequence[str], base: Path, column: str | None = None) -> list[str]:
    """The texts of these files and globs, in order, blank ones left out: the lines of a .txt, of a table the cells of ``column``.

    ``base``: the folder that paths are relative to.
    """
    texts: list[str] = []
    for named in [files] if isinstance(files, str) else files:
        found = matching(named, base)
        if not found:
            full = base / Path(named).expanduser()
            raise DataError(f"[pretraining] corpus: no file matches {full}: give a path or a glob, relative to the config's folder ({base}).")
        for file in found:
            texts += _lines(file) if file.suffix.lower() == ".txt" else _cells(file, column)
    return [text for text in texts if text.strip()]


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise DataError(f"[pretraining] corpus: {file} is not written in UTF-8 ({error.reason} at byte {error.start}): convert it.") from None


def _cells(file: Path, column: str | None) -> list[str]:
    if file.suffix.lower() not in SUFFIXES:
        raise DataError(f"[pretraining] corpus: {file.name} ends in {file.suffix or 'nothing'}; a corpus is .txt, or a table: {', '.join(SUFFIXES)}.")
    if column is None:
        raise DataError(f"[pretraining] corpus: {file.name} is a table, so say which column holds the texts: column = …")
    table = read_files(file.name, file.parent, only={column})
    if column not in table.frame.columns:
        raise DataError(f"[pretraining] column = {column!r}: {file.name} has {', '.join(table.names)}.{nearest(column, table.names)}")
    cells = table.frame[column]
    if cells.dtype.is_nested():
        raise DataError(f"[pretraining] column = {column!r}: its cells in {file.name} hold several values each; texts are wanted.")
    return [text for text in cells.cast(pl.String).to_list() if text is not None]
