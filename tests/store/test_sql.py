from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, event, select

from germane.errors import ConflictError, FullError, NotFoundError, QueryError, StoreError
from germane.store import EventStore, open_store
from germane.store.tables import event_log
from germane.types import Query, Slate, SlateItem
from germane.wire import EventLine, RewardLine

SLATE = Slate("r1", "u1", "v", "Greedy", "exact", (SlateItem("a", 1, 0.5, 1.0), SlateItem("b", 2, 0.4, 1.0)))


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'germane.db'}"


@pytest.fixture
def store(address: str) -> Iterator[EventStore]:
    with open_store(address) as opened:
        yield opened


def rows(address: str, query: str) -> list[dict[str, object]]:
    connection = sqlite3.connect(address.removeprefix("sqlite:///"))
    connection.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in connection.execute(query)]
    finally:
        connection.close()


def test_the_same_event_is_stored_once(store: EventStore) -> None:
    rain = EventLine("u1", "a", event_id="e1", context={"weather": "rain"})
    first = store.add_events([rain, EventLine("u1", "b")])
    assert (len(first.stored), first.duplicates) == (2, 0)
    assert isinstance(first.stored[0].time, float)
    again = store.add_events([rain, rain, EventLine("u1", "c", event_id="e2"), EventLine("u1", "c", event_id="e2")])
    assert (len(again.stored), again.duplicates) == (1, 3)
    assert [entry.item for entry in store.events_of("u1")] == ["a", "b", "c"]
    assert store.events_of("u1")[0].context == {"weather": "rain"}


def test_the_same_id_with_other_content_stores_nothing(store: EventStore) -> None:
    store.add_events([EventLine("u1", "a", event_id="e1")])
    for batch in (
        [EventLine("u2", "b"), EventLine("u1", "z", event_id="e1")],
        [EventLine("u2", "b", event_id="x"), EventLine("u2", "c", event_id="x")],
    ):
        with pytest.raises(ConflictError, match="other content"):
            store.add_events(batch)
    assert store.events_of("u2") == []


def test_a_bad_time_names_its_event(store: EventStore) -> None:
    with pytest.raises(QueryError) as caught:
        store.add_events([EventLine("u1", "a"), EventLine("u1", "a", time="soon")])
    assert caught.value.field == "events[1].time"
    assert store.events_of("u1") == []


def test_rewards_belong_to_what_was_shown(store: EventStore) -> None:
    store.add_slates([(SLATE, Query(user="u1", time=5.0, context={"weather": "rain"}))])
    assert store.recommendation("r1")["items"][0]["reward"] is None
    good = RewardLine("r1", "a", 1.0, reward_id="w1")
    for bad, error in ((RewardLine("r9", "a", 1.0), NotFoundError), (RewardLine("r1", "z", 1.0), QueryError)):
        with pytest.raises(error, match="nothing was stored"):
            store.add_rewards([good, bad])
    assert store.recommendation("r1")["items"][0]["reward"] is None
    assert len(store.add_rewards([good]).stored) == 1
    assert store.add_rewards([good]).duplicates == 1
    with pytest.raises(ConflictError):
        store.add_rewards([RewardLine("r1", "a", 2.0, reward_id="w1")])
    line = store.recommendation("r1")
    assert [shown["reward"] for shown in line["items"]] == [1.0, None]
    assert line["context"] == {"weather": "rain"} and line["time"] == "1970-01-01T00:00:05"
    assert store.recommendation("nope") is None


def test_items_come_back_in_the_order_in_which_they_came(store: EventStore) -> None:
    assert store.put_item("a", {"title": "A"})
    assert store.put_item("b", {"title": "B"})
    assert not store.put_item("a", {"year": 1999})
    assert [item for item, _ in store.items()] == ["a", "b"]
    store.delete_item("b")
    assert list(store.items()) == [("a", {"title": "A", "year": 1999}), ("b", None)]
    assert store.put_item("b", {"title": "B2"})
    assert list(store.items()) == [("a", {"title": "A", "year": 1999}), ("b", {"title": "B2"})]


def test_events_stream_from_a_row(store: EventStore) -> None:
    store.add_events([EventLine("u", f"i{n}") for n in range(2500)][:1000])
    store.add_events([EventLine("u", f"i{n}") for n in range(1000, 2000)])
    streamed = list(store.events_since())
    assert [stored.event.item for stored in streamed] == [f"i{n}" for n in range(2000)]
    assert [stored.event.item for stored in store.events_since(streamed[-2].row)] == ["i1999"]


def test_what_streams_is_read_in_the_order_in_which_it_lies(store: EventStore, address: str) -> None:
    """Else every chunk would sort the whole log."""
    store.add_events([EventLine("u", "a")])
    store.put_item("a", {})
    asked: list[tuple[str, Any]] = []
    event.listen(store._engine, "before_cursor_execute", lambda *told: asked.append(told[2:4]))  # type: ignore[attr-defined]
    assert len(list(store.events_since())) == len(list(store.items())) == 1
    streamed = [(query, given) for query, given in asked if query.startswith("SELECT")]
    assert len(streamed) == 2
    connection = sqlite3.connect(address.removeprefix("sqlite:///"))
    plans = [step[3] for query, given in streamed for step in connection.execute(f"EXPLAIN QUERY PLAN {query}", given)]
    connection.close()
    assert len(plans) == 2 and all("USING INTEGER PRIMARY KEY (rowid>?)" in plan for plan in plans), plans


def test_the_views_read_like_the_users_tables(store: EventStore, address: str) -> None:
    store.add_events([EventLine("u1", "a", time=60, kind="buy", value=2.0, context={"weather": "rain", "a'b.c": 1, "User": "x", 'q"': 1})])
    store.add_events([EventLine("u1", "b", context={"device": "tv"})])
    store.put_item("a", {"title": "A", "Item": "odd"})
    store.put_item("gone", {"title": "G"})
    store.delete_item("gone")
    store.put_user("u1", {"age": 30})
    first, second = rows(address, "SELECT * FROM events")
    assert first | {"user": "u1", "item": "a", "time": 60.0, "kind": "buy", "value": 2.0, "weather": "rain", "a'b.c": 1, "context_User": "x"} == first
    assert (second["device"], second["weather"]) == ("tv", None)
    assert rows(address, "SELECT item, title, columns_Item FROM items") == [{"item": "a", "title": "A", "columns_Item": "odd"}]
    assert rows(address, "SELECT user, age FROM users") == [{"user": "u1", "age": 30}]


def test_the_views_say_yes_and_no(store: EventStore, address: str) -> None:
    store.add_events([EventLine("u1", "a", context={"member": member}) for member in (True, False, 1, 0.5, "yes", None, [True, "a"])])
    assert [row["member"] for row in rows(address, "SELECT member FROM events")] == ["true", "false", 1, 0.5, "yes", None, '[true,"a"]']


def test_a_column_keeps_its_name_whatever_comes_later(address: str) -> None:
    """SQL takes Weather for weather; the one that came first is called so."""
    with open_store(address) as store:
        store.add_events([EventLine("u1", "a", context={"weather": "rain", "Mood": "calm"})])
        store.add_events([EventLine("u1", "b", context={"Weather": "snow", "WEATHER": "hail", "mood": "wild", "Item": "x"})])
        view = [
            {"item": "a", "weather": "rain", "Mood": "calm"},
            {"item": "b", "context_Weather": "snow", "context_WEATHER_2": "hail", "context_mood": "wild", "context_Item": "x"},
        ]
        names = ("item", "weather", "Mood", "context_Weather", "context_WEATHER_2", "context_mood", "context_Item")
        seen = [{name: row[name] for name in names} for row in rows(address, "SELECT * FROM events")]
        assert seen == [{name: row.get(name) for name in names} for row in view]
    with sqlite3.connect(address.removeprefix("sqlite:///")) as connection:  # as a store has it that was written before
        connection.execute("DROP VIEW events")
        connection.execute('CREATE VIEW events AS SELECT json_extract(context, \'$."Weather"\') AS "Weather" FROM event_log')
    connection.close()
    with open_store(address):
        assert [row["weather"] for row in rows(address, "SELECT * FROM events")] == ["rain", None], "mended when it is opened"


def test_whoever_reads_needs_one_connection(address: str) -> None:
    with open_store(address) as store:
        store.add_events([EventLine("u1", "a")])
        store._engine.dispose()  # type: ignore[attr-defined]
        store._engine = create_engine(address, pool_size=1, max_overflow=0, pool_timeout=0)  # type: ignore[attr-defined]
        with store._engine.connect():  # type: ignore[attr-defined]
            assert len(store.add_events([EventLine("u1", "b")]).stored) == 1, "readers take no connection from the writer"
        assert [entry["item"] for entry in store.held("u1")["events"]] == ["a", "b"]


def test_the_writer_writes_from_its_beginning(store: EventStore, address: str) -> None:
    """Else another one could write between what it reads and what it writes, and it would be refused without waiting."""

    def work(connection: Connection) -> None:
        connection.execute(select(event_log)).all()
        other = sqlite3.connect(address.removeprefix("sqlite:///"), timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("INSERT INTO about VALUES ('x', 'y')")
        other.close()
        connection.execute(event_log.insert(), [{"tenant": "default", "digest": "", "user": "u1", "item": "a", "time": 0.0, "context": "{}"}])

    store._write(work)  # type: ignore[attr-defined]
    assert len(store.events_of("u1")) == 1


def test_a_locked_store_is_not_ready_until_it_is_free(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("germane.store.sqlite.PATIENCE", 0)
    with open_store(address) as store:
        other = sqlite3.connect(address.removeprefix("sqlite:///"), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        store.check()
        with pytest.raises(StoreError, match="locked"):
            store.add_events([EventLine("u1", "a")])
        with pytest.raises(StoreError, match="locked"):
            store.check()
        other.execute("ROLLBACK")
        store.check()
        other.close()
        assert len(store.add_events([EventLine("u1", "a")]).stored) == 1


def test_tenants_do_not_meet(address: str) -> None:
    with open_store(address, tenant="one") as one:
        one.add_events([EventLine("u1", "a", event_id="e1")])
    with open_store(address, tenant="two") as two:
        assert two.events_of("u1") == [] and two.held("u1")["events"] == []
        assert len(two.add_events([EventLine("u1", "b", event_id="e1")]).stored) == 1


def test_erasing_leaves_no_byte_of_the_id(address: str, tmp_path: Path) -> None:
    person = "person-4711"
    with open_store(address) as store:
        store.add_events([EventLine(person, "a"), EventLine("other", "a")])
        store.add_slates(
            [(Slate("r1", person, "v", "p", "exact", SLATE.items), Query(user=person)), (Slate("r2", None, "v", "p", "exact", SLATE.items), Query())]
        )
        store.add_rewards([RewardLine("r1", "a", 1.0)])
        store.put_user(person, {"mail": f"{person}@example.org"})
        assert store.held(person)["columns"] and person in dict(store.users())
        assert store.erase(person) == 4
        assert not any(store.held(person).values())
        assert store.erased([person, "other"]) == {person}
        assert [entry.item for entry in store.events_of("other")] == ["a"]
        assert not any(person.encode() in file.read_bytes() for file in tmp_path.iterdir())


def test_what_is_erased_while_somebody_reads_is_gone_from_the_disk_when_they_are(address: str, tmp_path: Path) -> None:
    def left(person: str) -> bool:
        return any(person.encode() in file.read_bytes() for file in tmp_path.iterdir())

    def reader() -> sqlite3.Connection:
        """As a training from the store, or a notebook."""
        connection = sqlite3.connect(address.removeprefix("sqlite:///"), isolation_level=None)
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM event_log").fetchone()
        return connection

    waited = []
    with open_store(address) as store:
        timeout = "SELECT timeout FROM pragma_busy_timeout"
        event.listen(store._writing, "checkin", lambda connection, _: waited.append(connection.execute(timeout).fetchone()[0]))  # type: ignore[attr-defined]
        for person, settle in (
            ("person-1", lambda: store.add_events([EventLine("other", "a")])),
            ("person-2", store.close),
        ):
            store.add_events([EventLine(person, "a")])
            reading = reader()
            assert store.erase(person) == 1 and store.events_of(person) == []
            store.add_events([EventLine("other", "a")])
            assert left(person), "it is read"
            reading.execute("COMMIT")
            settle()
            assert not left(person)
            reading.close()
        assert set(waited) == {10_000}, "others wait as long as ever"


def test_a_store_that_is_opened_settles_what_the_last_process_owed(address: str, tmp_path: Path) -> None:
    with open_store(address) as store:
        store.add_events([EventLine("person-1", "a")])
        reading = sqlite3.connect(address.removeprefix("sqlite:///"), isolation_level=None)
        reading.execute("PRAGMA query_only = ON")
        reading.execute("BEGIN")
        reading.execute("SELECT count(*) FROM event_log").fetchone()
        store.erase("person-1")
    reading.execute("COMMIT")
    with open_store(address):
        assert not any(b"person-1" in file.read_bytes() for file in tmp_path.iterdir())
    reading.close()


def test_one_process_writes_and_others_read(store: EventStore, address: str) -> None:
    store.add_events([EventLine("u1", "a")])
    with pytest.raises(StoreError, match="in use by another process"):
        open_store(address)
    with open_store(address, read_only=True) as reader:
        assert [entry.item for entry in reader.events_of("u1")] == ["a"]
        with pytest.raises(StoreError, match="reading only"):
            reader.add_events([EventLine("u1", "b")])


def test_many_writers_at_once_share_commits(store: EventStore) -> None:
    def send(who: int) -> None:
        for n in range(20):
            assert len(store.add_events([EventLine(f"u{who}", "a", event_id=f"{who}-{n}")]).stored) == 1
            if n % 5 == 0:
                with pytest.raises(ConflictError):
                    store.add_events([EventLine(f"u{who}", "other", event_id=f"{who}-{n}")])

    threads = [threading.Thread(target=send, args=(who,)) for who in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(store.events_since())) == 160


KILLED = """
import os, sys
from germane.store import open_store
from germane.wire import EventLine
store = open_store(sys.argv[1])
for n in range(5):
    store.add_events([EventLine("u1", f"i{n}")])
print("acknowledged", flush=True)
os.kill(os.getpid(), 9)
"""


def test_what_was_acknowledged_survives_a_kill(address: str) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, address], capture_output=True, text=True, check=False)
    assert killed.returncode == -9 and "acknowledged" in killed.stdout, killed.stderr
    with open_store(address) as store:
        assert [entry.item for entry in store.events_of("u1")] == [f"i{n}" for n in range(5)]


@pytest.mark.parametrize("bad", ["germane.db", "mysql:///x", "sqlite:///", "sqlite:///:memory:", "sqlite:////no/such/folder/x.db"])
def test_addresses_that_cannot_be(bad: str) -> None:
    with pytest.raises(StoreError, match=r"sqlite:///|no folder"):
        open_store(bad)


def test_files_that_are_no_store(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("this is not a database, and long enough to look at" * 40)
    with pytest.raises(StoreError, match="cannot be opened"):
        open_store(f"sqlite:///{tmp_path / 'text.db'}")
    with pytest.raises(StoreError, match="does not exist"):
        open_store(f"sqlite:///{tmp_path / 'none.db'}", read_only=True)


def test_a_newer_store_is_refused(address: str) -> None:
    open_store(address).close()
    connection = sqlite3.connect(address.removeprefix("sqlite:///"))
    connection.execute("UPDATE about SET value = '99' WHERE key = 'format'")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match="format 99"):
        open_store(address)


def test_a_closed_store_says_so(address: str) -> None:
    store = open_store(address)
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.add_events([EventLine("u1", "a")])


def test_a_full_disk_is_one_sentence_and_keeps_nothing(store: EventStore) -> None:
    pages = [30]

    def limit(connection: Connection) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages[-1]}")

    event.listen(store._writing, "begin", limit)  # type: ignore[attr-defined]
    with pytest.raises(FullError, match="full: make room on its disk"):
        store.add_events([EventLine("u1", "x" * 1000, context={"long": "y" * 2000}) for _ in range(100)])
    for _ in range(2):
        with pytest.raises(FullError, match="full"):
            store.check()
    pages.append(1_000_000)
    with pytest.MonkeyPatch.context() as patch:
        store.check()  # finds out by itself
        patch.setattr("germane.store.tables.try_out", None)
        store.check()  # and asks no more
    assert store.events_of("u1") == []
    assert len(store.add_events([EventLine("u1", "a")]).stored) == 1


def test_nobody_is_answered_for_a_commit_that_another_took_down(store: EventStore) -> None:
    """Two callers in one commit; the second finds the disk full, which undoes both."""
    row = {"tenant": "default", "digest": "", "user": "u1", "item": "a", "time": 0.0, "context": "y" * 2000}

    def first(connection: Connection) -> None:
        connection.execute(event_log.insert(), [row])

    def second(connection: Connection) -> None:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")
        connection.execute(event_log.insert(), [row] * 500)

    batch = [(first, Future()), (second, Future())]
    store._writer._commit(batch)  # type: ignore[attr-defined]
    for _, future in batch:
        with pytest.raises(StoreError, match="full"):
            future.result(0)
    assert store.events_of("u1") == []


def test_the_address_may_come_from_the_environment(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GERMANE_STORE", address)
    with open_store() as store:
        store.check()
    assert Path(address.removeprefix("sqlite:///")).exists()
