"""SQLite's write-ahead log, which holds old pages of what was deleted until it is emptied."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

__all__ = ["WriteAheadLog"]

SHORT = 100
"""Milliseconds to wait for whoever reads; writers wait meanwhile."""


class WriteAheadLog:
    """Emptied by whoever writes, between two transactions. Where somebody reads from before the last of them, that stays owed."""

    def __init__(self, engine: Engine) -> None:
        """``engine``: that of the writer, since no other connection is to begin the log anew."""
        self._engine = engine
        self._owed = True  # a process before this one may have ended first
        self._patience = 0

    def owe(self) -> None:
        """Something is deleted of which no page may stay."""
        self._owed, self._patience = True, SHORT

    def settle(self) -> None:
        """Try what is owed. Who still reads after the first time is not waited for again."""
        if self._owed:
            self._owed = not self._emptied(self._patience)
            self._patience = 0

    def _emptied(self, patience: int) -> bool:
        try:
            with closing(self._engine.raw_connection()) as connection, closing(connection.cursor()) as ask:
                ask.execute("SELECT timeout FROM pragma_busy_timeout")
                usual = ask.fetchall()[0][0]
                ask.execute(f"PRAGMA busy_timeout = {patience}")
                try:
                    ask.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                    busy = ask.fetchall()[0][0]
                finally:
                    ask.execute(f"PRAGMA busy_timeout = {usual}")
                return not busy
        except (sqlite3.Error, SQLAlchemyError):  # what was to be written is on disk by now; a disk that fails is told at the next write
            return False
