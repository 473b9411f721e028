"""Tables from files: CSV, TSV, Parquet and JSON Lines, one file or a glob; and from any database that SQLAlchemy reaches."""

from __future__ import annotations

import glob
import os
from pathlib import Path

import polars as pl
from pydantic import Field

from ..component import Options
from ..errors import DataError
from .tables import Table, _refuse_doubled

__all__ = ["Format", "read_sql", "read_table"]

KINDS = {".csv": ",", ".tsv": "\t", ".txt": "\t", ".parquet": None, ".jsonl": None, ".ndjson": None}


class Format(Options):
    """``[data.format]``: where detection would err."""

    separator: str | None = Field(default=None, min_length=1, max_length=1)
    encoding: str = "utf8"
    decimal: str | None = None
    header: bool = True


def read_table(path: str, base: Path, said: Format | None = None) -> Table:
    """One table of one file or of all that a glob names, in order of name. Cells of text files stay text until their meaning is known."""
    said = said or Format()
    full = str(base / path)
    names = sorted(glob.glob(full)) if glob.has_magic(full) else [full]
    if not names:
        raise DataError(f"{full} matches no file.")
    parts = [_read_one(Path(name), said) for name in names]
    starts = [0]
    for part in parts:
        starts.append(starts[-1] + part.height)
    if any(part.columns != parts[0].columns for part in parts):
        odd = next(name for name, part in zip(names, parts) if part.columns != parts[0].columns)
        raise DataError(f"{odd} has other columns than {names[0]}: files of one table have the same columns in the same order.")

    def where(row: int) -> str:
        at = max(i for i, start in enumerate(starts[:-1]) if start <= row)
        line = row - starts[at] + 1 + said.header
        return (
            f"{names[at]}, line {line}"
            if Path(names[at]).suffix.lower() in (".csv", ".tsv", ".txt", ".jsonl", ".ndjson")
            else f"{names[at]}, row {line}"
        )

    return Table(pl.concat(parts, how="vertical_relaxed"), path, where, said.decimal)


def _read_one(path: Path, said: Format) -> pl.DataFrame:
    suffix = path.suffix.lower()
    if not path.is_file():
        raise DataError(f"{path} is not there: [data] names files relative to the config's own folder.")
    if suffix not in KINDS:
        raise DataError(f"{path} ends in {suffix or 'nothing'}: files end in {', '.join(KINDS)}.")
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty.")
    try:
        if suffix == ".parquet":
            return pl.read_parquet(path)
        if suffix in (".jsonl", ".ndjson"):
            return pl.read_ndjson(path, infer_schema_length=None)
        separator = said.separator or _separator(path, said.encoding, KINDS[suffix] or ",")
        with path.open(encoding="utf-8" if said.encoding == "utf8" else said.encoding) as lines:
            head = lines.readline().rstrip("\r\n").split(separator)
        if said.header:
            _refuse_doubled([name.strip().strip('"') for name in head], str(path))
        frame = pl.read_csv(
            path, separator=separator, encoding=said.encoding, has_header=said.header, infer_schema=False, truncate_ragged_lines=False
        )
    except LookupError:
        raise DataError(f"[data.format] encoding = {said.encoding!r} is not known: try utf8, latin-1 or cp1252.") from None
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not {said.encoding} ({error.reason} at byte {error.start}): say [data.format] encoding, such as latin-1."
        ) from None
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path} cannot be read: {str(error).splitlines()[0]}") from None
    return frame


def _separator(path: Path, encoding: str, usual: str) -> str:
    """The mark that most often divides the first line, the usual one on a tie."""
    with path.open(encoding="utf-8" if encoding == "utf8" else encoding, errors="replace") as lines:
        first = lines.readline()
    marks = [usual, *(mark for mark in ",;\t|" if mark != usual)]
    return max(marks, key=lambda mark: first.count(mark))


def read_sql(address: str, query: str, name: str) -> Table:
    """The rows of a query. A password is written as ``env:NAME`` in the address, never itself."""
    import sqlalchemy

    try:
        url = sqlalchemy.make_url(address)
    except sqlalchemy.exc.ArgumentError:
        raise DataError(
            f"[data] sql = {address!r} is not an address such as sqlite:///shop.db or postgresql+psycopg://user:env:PASSWORD@host/shop."
        ) from None
    if url.password is not None:
        if not url.password.startswith("env:"):
            raise DataError("[data] sql holds a password: write env:NAME in its place and put the password into that environment variable.")
        variable = url.password.removeprefix("env:")
        if variable not in os.environ:
            raise DataError(f"[data] sql reads its password from ${variable}, which is not set.")
        url = url.set(password=os.environ[variable])
    try:
        with sqlalchemy.create_engine(url).connect() as connection:
            rows = connection.execute(sqlalchemy.text(query))
            names = list(rows.keys())
            _refuse_doubled(names, name)
            return Table(pl.DataFrame([tuple(row) for row in rows], schema=names, orient="row", infer_schema_length=None), name)
    except (sqlalchemy.exc.SQLAlchemyError, ImportError) as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise DataError(f"{name} could not be read from {url.render_as_string(hide_password=True)}: {reason}") from None
