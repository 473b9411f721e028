"""One writer, group commit: whatever waits goes into one transaction, and every caller is answered after its commit.

SQLite takes some hundred commits a second, and some tens of thousands of rows in one commit; several writing connections would
only wait for each other (and some versions, 3.40.1 among them, can lose a write-ahead log that two of them reset).
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from ..errors import StoreError
from .sqlite import refusal

__all__ = ["MOST", "Writer"]

MOST = 256
"""Callers served by one commit."""

Result = TypeVar("Result")
Job = tuple[Callable[[Connection], Any], "Future[Any]"]


class Writer:
    """A thread with the only connection that writes."""

    def __init__(self, engine: Engine, settle: Callable[[], object] = lambda: None) -> None:
        """``engine``: of this writer alone, so that readers never keep it waiting for a connection. ``settle``: called after each commit and at the
        end."""
        self.failing = False
        """Whether the store refused what was written last."""
        self._engine, self._settle = engine, settle
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="germane-store", daemon=True)
        self._thread.start()

    def __call__(self, work: Callable[[Connection], Result]) -> Result:
        """Run ``work`` inside a transaction of the writer's; return once it is committed. Raises what ``work`` raises, undoing that work alone."""
        future: Future[Result] = Future()
        with self._closing:
            if self._closed:
                raise StoreError("the store is closed: open it again.")
            self._jobs.put((work, future))
        return future.result()

    def close(self) -> None:
        """Finish what waits, then end."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        going = True
        while going:
            batch: list[Job] = []
            job = self._jobs.get()
            while job is not None:
                batch.append(job)
                if len(batch) == MOST:
                    break
                try:
                    job = self._jobs.get_nowait()
                except queue.Empty:
                    break
            going = job is not None
            if batch:
                self._commit(batch)
        self._settle()

    def _commit(self, batch: list[Job]) -> None:
        try:
            with self._engine.begin() as connection:
                outcomes = [_attempt(connection, work) for work, _ in batch]
        except BaseException as error:
            self.failing = True
            for _, future in batch:
                future.set_exception(_refusal(error))
            return
        self.failing = any(isinstance(outcome, OperationalError) for outcome in outcomes)
        self._settle()
        for (_, future), outcome in zip(batch, outcomes):
            if isinstance(outcome, BaseException):
                future.set_exception(_refusal(outcome))
            else:
                future.set_result(outcome)


def _attempt(connection: Connection, work: Callable[[Connection], Any]) -> Any:
    """What the work returns, or the error that undid it. Raises where the whole transaction is gone, so that nobody is told otherwise."""
    savepoint = connection.begin_nested()
    try:
        result = work(connection)
    except Exception as error:
        try:
            savepoint.rollback()
        except SQLAlchemyError:  # a full disk takes the transaction with it
            raise error from None
        return error
    savepoint.commit()
    return result


def _refusal(error: BaseException) -> BaseException:
    return refusal(error) if isinstance(error, SQLAlchemyError) else error
