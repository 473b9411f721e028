"""Tables by SQL: any address that SQLAlchemy knows, and a query for each table."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import polars as pl

from ..errors import ConfigError, DataError
from .tables import Table, refuse_doubled

__all__ = ["read_query"]

_CHUNK = 100_000


def read_query(address: str, query: str, base: Path, name: str) -> Table:
    """The rows that a query gives. A password stands in the environment and the address names it: ``postgresql://me:env:PGPASS@host/shop``."""
    try:
        import sqlalchemy
        from sqlalchemy.exc import ArgumentError, SQLAlchemyError
    except ImportError:
        raise ConfigError("[data] sql needs SQLAlchemy: pip install sqlalchemy, and the driver of your database.") from None
    try:
        url = _with_password(sqlalchemy.make_url(_from_environment(address)), address)
    except ArgumentError:
        raise ConfigError(
            f"[data] sql = {_safe(address)!r} is no address: write one such as sqlite:///shop.db or postgresql://me:env:PGPASS@host/shop."
        ) from None
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        file = base / url.database
        if not file.is_file():
            raise DataError(f"the database {file} does not exist; a path in {_safe(address)!r} is relative to {base}.")
        url = url.set(database=str(file))
    try:
        engine = sqlalchemy.create_engine(url)
    except (SQLAlchemyError, ImportError) as error:
        raise ConfigError(f"[data] sql = {_safe(address)!r}: {_first_line(error)}.") from None
    try:
        with engine.connect().execution_options(stream_results=True) as connection:
            result = connection.execute(sqlalchemy.text(query))
            columns = list(result.keys())
            refuse_doubled(columns, f"the result of {name}")
            chunks = [_frame(rows, columns) for rows in result.partitions(_CHUNK)]
        frame = pl.concat(chunks, how="vertical_relaxed") if chunks else pl.DataFrame({column: pl.Series([], dtype=pl.String) for column in columns})
    except SQLAlchemyError as error:
        raise DataError(f"{name} could not be run on {_safe(address)}: {_first_line(getattr(error, 'orig', None) or error)}.") from None
    except pl.exceptions.PolarsError as error:
        raise DataError(f"the result of {name} changes its column types on the way: {_first_line(error)}. Cast them in the query.") from None
    finally:
        engine.dispose()
    return Table(frame, f"the result of {name}")


def _frame(rows: Any, columns: list[str]) -> pl.DataFrame:
    plain = (str, int, float, bool, bytes)
    cells: dict[str, pl.Series] = {}
    for place, column in enumerate(columns):
        values = [row[place] for row in rows]
        kinds = {type(value) for value in values if value is not None}
        if any(not issubclass(kind, plain) and kind.__module__ not in ("datetime", "decimal") for kind in kinds) or (
            len(kinds) > 1 and not kinds <= {int, float}
        ):
            values = [None if value is None else str(value) for value in values]
        cells[column] = pl.Series(column, values, strict=False)
    return pl.DataFrame(cells)


def _from_environment(address: str) -> str:
    """A whole address may stand in the environment: ``env:DATABASE_URL``."""
    return _variable(address.removeprefix("env:")) if re.fullmatch(r"env:\w+", address) else address


def _with_password(url: Any, address: str) -> Any:
    password = url.password
    if password is None or re.fullmatch(r"env:\w+", address):
        return url
    if not password.startswith("env:"):
        raise ConfigError("[data] sql holds a password: put it in an environment variable and write env:NAME in its place.")
    return url.set(password=_variable(password.removeprefix("env:")))


def _variable(name: str) -> str:
    value = os.environ.get(name)
    if value is None:
        raise ConfigError(f"[data] sql reads the environment variable {name}, which is not set: export {name}=…")
    return value


def _safe(address: str) -> str:
    return re.sub(r"(://[^:/@]*):(?!env:)[^@]*@", r"\1:***@", address)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
