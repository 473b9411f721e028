from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from germane import times
from germane.data.options import DataOptions, open_dataset
from germane.errors import DataError
from germane.store import EventStore, open_store
from germane.wire import EventLine


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EventStore]:
    """Another tenant's event comes first."""
    address = f"sqlite:///{tmp_path}/log.db"
    monkeypatch.setenv("GERMANE_STORE", address)
    with open_store(tenant="other") as store:
        store.add_events([EventLine("c", "z", time=5.0, context={"device": "tv"})])
    with open_store() as store:
        yield store


def test_the_services_own_log_is_a_source(log: EventStore) -> None:
    log.add_events([EventLine("a", "x", time=10.0), EventLine("b", "y", time=20.0, context={"device": "tv"})])
    log.put_item("x", {"title": "Ex"})
    log.delete_item("y")
    data = open_dataset(DataOptions(store=True, columns={"context": ["device"], "text": ["title"]}), Path())
    assert data.users["id"].to_list() == ["a", "b"] and data.items.columns == ["id", "title"] and data.has_times
    assert data.items.rows() == [("x", "Ex"), ("y", None)] and data.events["context:device"].to_list() == [None, "tv"]
    with pytest.raises(DataError, match=r"no column 'devise'.*context.* names.*Did you mean device"):
        open_dataset(DataOptions(store=True, columns={"context": ["devise"]}), Path())


def test_what_was_sent_to_the_service_is_learnt_as_it_was_sent(log: EventStore) -> None:
    sent = [
        {"mood": ["calm", "sad"], "member": True, "level": 1, "kind": "x", "Mood": "a"},
        {"mood": "calm; wild", "member": False, "level": 2.0, "context_kind": "y"},
        {"mood": ["[calm]"], "member": "true", "level": 2.5},
        {"mood": None},
    ]
    log.add_events([EventLine(f"u{n % 2}", "i", time=n, kind="buy", context=context) for n, context in enumerate(sent)])
    log.put_item("i", {"genres": ["war", "noir"], "sale": True, "vector": [1, 0.5], "item": "odd"})
    log.put_user("u0", {"likes": ["tea"], "adult": False})
    columns = {"kind": "kind", "context": ["mood", "member", "level", "context_kind", "context_context_kind", "Mood"]}
    columns |= {"side": ["genres", "sale"], "vector": "vector", "user_side": ["likes", "adult"]}
    data = open_dataset(DataOptions(store=True, columns=columns, types={"mood": "categories:;", "level": "number"}), Path())
    assert data.types | {"mood": "categories", "genres": "categories", "likes": "categories", "sale": "category", "member": "category"} == data.types
    told = {name: data.events[f"context:{name}"].to_list() for name in data.columns.context}
    assert told == {
        "mood": [["calm", "sad"], ["calm", "wild"], ["[calm]"], None],
        "member": ["true", "false", "true", None],
        "level": [1.0, 2.0, 2.5, None],
        "context_kind": ["x", None, None, None],
        "context_context_kind": [None, "y", None, None],
        "Mood": ["a", None, None, None],
    }
    assert data.items.row(0, named=True) == {"id": "i", "genres": ["war", "noir"], "sale": "true", "vector": [1.0, 0.5], "columns_item": "odd"}
    assert data.users.rows() == [("u0", ["tea"], "false"), ("u1", None, None)] and data.events["kind"].to_list() == ["buy"] * 4


def test_a_list_where_a_number_belongs_is_named(log: EventStore) -> None:
    log.add_events([EventLine(user, "i", context={"level": level}) for user, level in (("a", 1.5), ("b", [2]))])
    with pytest.raises(DataError, match=r"the store's events, row 1: column 'level' holds '\[2\]' where a number belongs"):
        open_dataset(DataOptions(store=True, columns={"context": ["level"]}, types={"level": "number"}), Path())


@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Tokyo"])
def test_a_far_time_of_the_log_stands_on_the_wall_like_any_other(log: EventStore, zone: str | None) -> None:
    log.add_events([EventLine("a", "x", time="2026-05-01T21:00"), EventLine("b", "x", time="9999-12-31")])
    data = open_dataset(DataOptions(store=True, timezone=zone), Path())
    assert [times.show(moment) for moment in data.times] == ["2026-05-01T21:00:00", "9999-12-31T00:00:00"]
