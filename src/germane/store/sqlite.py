"""One SQLite file: how it is connected to, who owns it, and what its refusals mean."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from ..errors import FullError, StoreError

__all__ = ["engine", "own", "refusal"]

PATIENCE = 10
"""Seconds to wait for a lock that another holds."""


def engine(address: str, *, reads: bool = False, writes: bool = False) -> Engine:
    """Connections to the file. ``reads``: they may do nothing else; ``writes``: their transactions write from the beginning.

    SQLite waits for a lock only where a transaction asks for it at once: one that has read before it writes is refused on the spot.
    """
    made = create_engine(address, connect_args={"check_same_thread": False, "timeout": PATIENCE})

    @event.listens_for(made, "connect")
    def _connect(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # transactions begin where SQLAlchemy says so, below
        for pragma in ("query_only=ON",) if reads else ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(made, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return made


def own(file: Path, address: str) -> IO[bytes]:
    """Hold the store for this process. The system lets go of it when the process ends, however it ends."""
    lock = open(f"{file}-lock", "wb")  # noqa: SIM115 -- held open as long as the store is
    try:
        import fcntl

        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:  # no such locks on Windows: SQLite's own keep writers apart there
        pass
    except OSError:
        lock.close()
        raise StoreError(f"store {address} is in use by another process, such as a running service: stop it, or give another address.") from None
    return lock


def refusal(error: SQLAlchemyError) -> StoreError:
    """What a write that failed says to people."""
    cause = getattr(error, "orig", None) or error
    said = f"the store could not be written, and nothing of this request was kept: {cause}"
    if getattr(cause, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
        return FullError(f"{said}: make room on its disk.")
    return StoreError(f"{said}.")
