"""A store in an SQL database: SQLite, in write-ahead mode with full synchronisation."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection, Row, Table, make_url, select
from sqlalchemy.exc import SQLAlchemyError

from .. import times
from ..errors import ConflictError, NotFoundError, QueryError, StoreError
from ..types import Event, Query, Slate
from ..wire import EventLine, Flat, RewardLine, event_from_line, event_to_json, feedback_from_line, log_line
from . import tables
from .base import EventStore, Line, Receipt, StoredEvent
from .sqlite import engine, own
from .tables import catalogue, event_log, people, rewards, slates
from .wal import WriteAheadLog
from .writer import Writer

__all__ = ["SqlStore"]

T = TypeVar("T")

CHUNK = 1000
"""Rows read at a time, and ids looked up at a time."""


class SqlStore(EventStore):
    """Events, slates and rewards in tables; any number of readers, one writing process."""

    def __init__(self, address: str, *, tenant: str = "default", read_only: bool = False) -> None:
        self.address = address
        self.tenant = tenant
        file = Path(make_url(address).database or "")
        if read_only and not file.exists():
            raise StoreError(f"store {address} does not exist: write to it first, or check its address.")
        if not file.parent.is_dir():
            raise StoreError(f"store {address}: there is no folder {file.parent}; make it first.")
        self._lock = None if read_only else own(file, address)
        self._engine = engine(address, reads=read_only)
        self._writing = engine(address, writes=True)
        self._names: dict[str, set[str]] = {"events": set(), "items": set(), "users": set()}
        self._log = WriteAheadLog(self._writing)
        self._writer: Writer | None = None
        try:
            if not read_only:
                with self._writing.begin() as connection:
                    _prepare(connection, address)
                self._log.settle()
                self._writer = Writer(self._writing, self._log.settle)
            self.check()
        except BaseException as error:
            self.close()
            if isinstance(error, SQLAlchemyError):
                raise StoreError(f"store {address} cannot be opened: {getattr(error, 'orig', error)}.") from None
            raise

    # What was done, shown, and came back.

    def add_events(self, events: Sequence[EventLine]) -> Receipt[EventLine]:
        now = times.now(self.zone)
        happened = [event_from_line(line, f"events[{i}].") for i, line in enumerate(events)]
        rows = [
            {
                "tenant": self.tenant,
                "event_id": line.event_id,
                "digest": _digest(line),
                "user": line.user,
                "item": line.item,
                "time": now if entry.time is None else times.parse(entry.time, self.zone),
                "kind": line.kind,
                "value": line.value,
                "context": _json(dict(entry.context)),
                "recommendation_id": line.recommendation_id,
            }
            for line, entry in zip(events, happened)
        ]

        def work(connection: Connection) -> Receipt[EventLine]:
            receipt, fresh = self._fresh(connection, event_log, "event_id", events, rows)
            found = dict.fromkeys(name for row in fresh for name in msgspec.json.decode(row["context"]))
            tables.add_names(connection, "events", found, self._names["events"])
            return receipt

        return self._write(work)

    def add_slates(self, shown: Sequence[tuple[Slate, Query]]) -> None:
        now = times.now(self.zone)
        rows = [
            {
                "tenant": self.tenant,
                "recommendation_id": slate.recommendation_id,
                "user": slate.user,
                "time": query.time,
                "line": log_line(slate, query).decode(),
            }
            for slate, query in ((slate, query.local(self.zone, now)) for slate, query in shown)
        ]
        if rows:
            self._write(lambda connection: connection.execute(slates.insert(), rows).close())

    def add_rewards(self, lines: Sequence[RewardLine]) -> Receipt[RewardLine]:
        now = times.now(self.zone)
        came = [feedback_from_line(line, f"rewards[{i}].") for i, line in enumerate(lines)]
        rows = [
            {
                "tenant": self.tenant,
                "reward_id": line.reward_id,
                "digest": _digest(line),
                "recommendation_id": line.recommendation_id,
                "item": line.item,
                "reward": line.reward,
                "kind": line.kind,
                "time": now if feedback.time is None else times.parse(feedback.time, self.zone),
            }
            for line, feedback in zip(lines, came)
        ]

        def work(connection: Connection) -> Receipt[RewardLine]:
            shown = self._shown(connection, {line.recommendation_id for line in lines})
            for i, line in enumerate(lines):
                if line.recommendation_id not in shown:
                    raise NotFoundError(f"rewards[{i}]: there is no recommendation {line.recommendation_id!r}; nothing was stored.")
                if line.item not in shown[line.recommendation_id]:
                    said = f"rewards[{i}].item = {line.item!r} was not shown in recommendation {line.recommendation_id}; nothing was stored."
                    raise QueryError(said, f"rewards[{i}].item")
            return self._fresh(connection, rewards, "reward_id", lines, rows)[0]

        return self._write(work)

    def recommendation(self, recommendation_id: str) -> dict[str, Any] | None:
        with self._reading() as connection:
            mine = (slates.c.tenant == self.tenant) & (slates.c.recommendation_id == recommendation_id)
            line = connection.execute(select(slates.c.line).where(mine)).scalar()
            return None if line is None else self._rewarded(connection, line)

    # Items and users.

    def put_item(self, item: str, columns: Flat) -> bool:
        def work(connection: Connection) -> bool:
            mine = (catalogue.c.tenant == self.tenant) & (catalogue.c.item == item)
            held = connection.execute(select(catalogue.c.columns, catalogue.c.gone).where(mine)).first()
            known = held is not None and not held.gone
            merged = {**(msgspec.json.decode(held.columns) if held is not None and known else {}), **columns}
            if known:  # its row stays where it is, so that rows stand in the order in which items came
                connection.execute(catalogue.update().where(mine).values(columns=_json(merged)))
            else:
                connection.execute(catalogue.delete().where(mine))
                connection.execute(catalogue.insert(), [{"tenant": self.tenant, "item": item, "columns": _json(merged), "gone": False}])
            tables.add_names(connection, "items", columns, self._names["items"])
            return not known

        return self._write(work)

    def delete_item(self, item: str) -> None:
        def work(connection: Connection) -> None:
            connection.execute(catalogue.delete().where((catalogue.c.tenant == self.tenant) & (catalogue.c.item == item)))
            connection.execute(catalogue.insert(), [{"tenant": self.tenant, "item": item, "columns": "{}", "gone": True}])

        self._write(work)

    def items(self) -> Iterator[tuple[str, Flat | None]]:
        for row in self._stream(catalogue, 0):
            yield row.item, None if row.gone else msgspec.json.decode(row.columns)

    def put_user(self, user: str, columns: Flat) -> bool:
        def work(connection: Connection) -> bool:
            mine = (people.c.tenant == self.tenant) & (people.c.user == user)
            held = connection.execute(select(people.c.columns).where(mine)).scalar()
            merged = _json({**(msgspec.json.decode(held) if held else {}), **columns})
            if held is None:
                connection.execute(people.insert(), [{"tenant": self.tenant, "user": user, "columns": merged}])
            else:
                connection.execute(people.update().where(mine).values(columns=merged))
            tables.add_names(connection, "users", columns, self._names["users"])
            return held is None

        return self._write(work)

    def users(self) -> Iterator[tuple[str, Flat]]:
        put = select(people.c.user, people.c.columns).where(people.c.tenant == self.tenant)
        known = select(people.c.user).where(people.c.tenant == self.tenant)
        active = select(event_log.c.user).where((event_log.c.tenant == self.tenant) & event_log.c.user.not_in(known)).distinct()
        with self._reading() as connection:
            for user, columns in connection.execute(put):
                yield user, msgspec.json.decode(columns)
            for user in connection.execute(active).scalars():
                yield user, {}

    # Reading events.

    def events_of(self, user: str) -> list[Event]:
        with self._reading() as connection:
            return self._events_of(connection, user)

    def events_since(self, row: int = 0) -> Iterator[StoredEvent]:
        for stored in self._stream(event_log, row):
            yield StoredEvent(stored.row, stored.user, _event(stored))

    # One person.

    def held(self, user: str) -> dict[str, Any]:
        with self._reading() as connection:
            columns = connection.execute(select(people.c.columns).where((people.c.tenant == self.tenant) & (people.c.user == user))).scalar()
            shown = (slates.c.tenant == self.tenant) & (slates.c.user == user)
            lines = connection.execute(select(slates.c.line).where(shown).order_by(slates.c.row)).scalars().all()
            came = connection.execute(select(rewards).where(self._rewards_of(user)).order_by(rewards.c.row)).all()
            return {
                "columns": msgspec.json.decode(columns) if columns else {},
                "events": [event_to_json(entry) for entry in self._events_of(connection, user)],
                "recommendations": [self._rewarded(connection, line) for line in lines],
                "rewards": [
                    {"recommendation_id": r.recommendation_id, "item": r.item, "reward": r.reward, "kind": r.kind, "time": times.show(r.time)}
                    for r in came
                ],
            }

    def erase(self, user: str) -> int:
        digest = self._person(user)

        def work(connection: Connection) -> int:
            gone = int(connection.execute(rewards.delete().where(self._rewards_of(user))).rowcount)
            for table in (slates, event_log, people):
                gone += connection.execute(table.delete().where((table.c.tenant == self.tenant) & (table.c.user == user))).rowcount
            connection.execute(tables.erased.delete().where((tables.erased.c.tenant == self.tenant) & (tables.erased.c.digest == digest)))
            connection.execute(tables.erased.insert(), [{"tenant": self.tenant, "digest": digest}])
            self._log.owe()
            return gone

        return self._write(work)

    def erased(self, users: Collection[str]) -> set[str]:
        with self._reading() as connection:
            known = set(connection.execute(select(tables.erased.c.digest).where(tables.erased.c.tenant == self.tenant)).scalars())
        return {user for user in users if self._person(user) in known} if known else set()

    # Itself.

    def check(self) -> None:
        with self._reading() as connection:
            try:
                connection.execute(select(tables.about.c.value)).first()
            except SQLAlchemyError as error:
                raise StoreError(f"store {self.address} does not answer: {getattr(error, 'orig', error)}.") from None
        if self._writer is not None and self._writer.failing:
            self._write(tables.try_out)  # whoever waits for readiness sends nothing: only this finds out that it is over

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._engine.dispose()
        self._writing.dispose()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _write(self, work: Callable[[Connection], T]) -> T:
        if self._writer is None:
            raise StoreError(f"store {self.address} was opened for reading only: open it without read_only.")
        try:
            return self._writer(work)
        except BaseException:
            for known in self._names.values():
                known.clear()  # what was noted may have been undone
            raise

    def _reading(self) -> Connection:
        try:
            return self._engine.connect()
        except SQLAlchemyError as error:
            raise StoreError(f"store {self.address} does not answer: {getattr(error, 'orig', error)}.") from None

    def _fresh(
        self, connection: Connection, table: Table, key: str, lines: Sequence[Line], rows: list[dict[str, Any]]
    ) -> tuple[Receipt[Line], list[dict[str, Any]]]:
        """Insert the rows whose id has not come before; the same id with other content is a conflict."""
        ids = [row[key] for row in rows if row[key] is not None]
        seen: dict[str, str] = {}
        for start in range(0, len(ids), CHUNK):
            mine = (table.c.tenant == self.tenant) & table.c[key].in_(ids[start : start + CHUNK])
            seen.update((row[0], row[1]) for row in connection.execute(select(table.c[key], table.c.digest).where(mine)))
        kept, fresh = [], []
        for line, row in zip(lines, rows):
            before = seen.get(row[key]) if row[key] is not None else None
            if before is None:
                kept.append(msgspec.structs.replace(line, time=row["time"]))  # type: ignore[type-var]
                fresh.append(row)
                if row[key] is not None:
                    seen[row[key]] = row["digest"]
            elif before != row["digest"]:
                raise ConflictError(f"{key} {row[key]!r} came before with other content: give what differs an id of its own. Nothing was stored.")
        if fresh:
            connection.execute(table.insert(), fresh)
        return Receipt(tuple(kept), len(rows) - len(fresh)), fresh

    def _shown(self, connection: Connection, recommendations: set[str]) -> dict[str, set[str]]:
        mine = (slates.c.tenant == self.tenant) & slates.c.recommendation_id.in_(sorted(recommendations))
        found = connection.execute(select(slates.c.recommendation_id, slates.c.line).where(mine))
        return {row.recommendation_id: {shown["item"] for shown in msgspec.json.decode(row.line)["items"]} for row in found}

    def _rewarded(self, connection: Connection, line: str) -> dict[str, Any]:
        shown: dict[str, Any] = msgspec.json.decode(line)
        mine = (rewards.c.tenant == self.tenant) & (rewards.c.recommendation_id == shown["recommendation_id"])
        came = {row.item: row.reward for row in connection.execute(select(rewards.c.item, rewards.c.reward).where(mine).order_by(rewards.c.row))}
        for place in shown["items"]:
            place["reward"] = came.get(place["item"])
        return shown

    def _events_of(self, connection: Connection, user: str) -> list[Event]:
        mine = (event_log.c.tenant == self.tenant) & (event_log.c.user == user)
        return [_event(row) for row in connection.execute(select(event_log).where(mine).order_by(event_log.c.row))]

    def _rewards_of(self, user: str) -> Any:
        shown = select(slates.c.recommendation_id).where((slates.c.tenant == self.tenant) & (slates.c.user == user))
        return (rewards.c.tenant == self.tenant) & rewards.c.recommendation_id.in_(shown)

    def _stream(self, table: Table, row: int) -> Iterator[Row[Any]]:
        """Rows after ``row``, a chunk at a time, so that no transaction stays open between them."""
        while True:
            with self._reading() as connection:
                # An expression, which no index holds: by one of the tenant's, all its rows would be put in order again for each chunk.
                mine = (table.c.tenant.concat("") == self.tenant) & (table.c.row > row)
                chunk = connection.execute(select(table).where(mine).order_by(table.c.row).limit(CHUNK)).all()
            yield from chunk
            if len(chunk) < CHUNK:
                return
            row = chunk[-1].row

    def _person(self, user: str) -> str:
        return hashlib.sha256(f"{self.tenant}\0{user}".encode()).hexdigest()


def _prepare(connection: Connection, address: str) -> None:
    tables.schema.create_all(connection)
    found = connection.execute(select(tables.about.c.value).where(tables.about.c.key == "format")).scalar()
    if found is None:
        connection.execute(tables.about.insert(), [{"key": "format", "value": str(tables.FORMAT)}])
    elif int(found) > tables.FORMAT:
        raise StoreError(f"store {address} has format {found}; this version reads up to {tables.FORMAT}: update germane.")
    tables.make_views(connection)


def _event(row: Row[Any]) -> Event:
    return Event(row.item, times.Wall(row.time), row.kind, row.value, msgspec.json.decode(row.context))


def _digest(line: EventLine | RewardLine) -> str:
    """Of the content as it was sent: an event without a time, sent again, is still the same event."""
    return hashlib.sha256(msgspec.json.encode(line, order="sorted")).hexdigest()


def _json(columns: Flat) -> str:
    return msgspec.json.encode(columns).decode()
