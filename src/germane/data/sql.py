"""Tables by SQL: any address that SQLAlchemy knows, and a query for each table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from ..errors import ConfigError, DataError
from .addresses import database_url, safe
from .tables import Table, refuse_doubled

__all__ = ["read_query"]

_CHUNK = 100_000


def read_query(address: str, query: str, base: Path, name: str) -> Table:
    """The rows that a query gives. A password stands in the environment and the address names it: ``postgresql://me:env:PGPASS@host/shop``."""
    url = database_url(address, "[data] sql")
    import sqlalchemy
    from sqlalchemy.exc import SQLAlchemyError

    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        file = base / url.database
        if not file.is_file():
            raise DataError(f"the database {file} does not exist; a path in {safe(address)!r} is relative to {base}.")
        url = url.set(database=str(file))
    try:
        engine = sqlalchemy.create_engine(url)
    except (SQLAlchemyError, ImportError) as error:
        raise ConfigError(f"[data] sql = {safe(address)!r}: {_first_line(error)}.") from None
    try:
        as_written = {"stream_results": True, "no_parameters": True}  # a colon and a percent sign stand for themselves
        with engine.connect().execution_options(**as_written) as connection:
            if url.get_backend_name() == "sqlite":
                connection.exec_driver_sql("pragma query_only = on")  # reading changes nothing, whatever the query says
            result = connection.exec_driver_sql(query)
            columns = list(result.keys())
            refuse_doubled(columns, f"the result of {name}")
            chunks = [_frame(rows, columns) for rows in result.partitions(_CHUNK)]
        frame = pl.concat(chunks, how="vertical_relaxed") if chunks else pl.DataFrame({column: pl.Series([], dtype=pl.String) for column in columns})
    except SQLAlchemyError as error:
        raise DataError(f"{name} could not be run on {safe(address)}: {_first_line(getattr(error, 'orig', None) or error)}.") from None
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


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
