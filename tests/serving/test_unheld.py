from __future__ import annotations

from pathlib import Path

import pytest

from germane import times
from germane.data import NoSplit
from germane.data.options import DataOptions, open_dataset
from germane.histories import KEPT, Histories
from germane.jobs.train import train
from germane.models import Popular
from germane.recommender import Recommender
from germane.serving.service import Service
from germane.serving.unheld import unheld
from germane.store import EventStore, StoredEvent
from germane.types import Event
from germane.wire import EventLine


def log(*events: Event) -> list[StoredEvent]:
    return [StoredEvent(row, "u", event) for row, event in enumerate(events, 1)]


def new(histories: Histories, *events: Event, kinds: bool = True) -> list[int]:
    """Rows of the log that are not held."""
    return [stored.row for stored in unheld(log(*events), histories, kinds=kinds)]


def test_each_event_that_is_held_stands_for_one_of_the_log() -> None:
    histories, noon = Histories(), times.Wall(1000.0)
    view, back = Event("a", noon, "view"), Event("a", noon, "return")
    histories.put("u", [view, Event("b", noon)])
    assert new(histories, view, back, Event("b", noon, ""), view) == [2, 4], "another kind is another event, and a second one is a second one"
    assert new(histories, back, view, Event("b", noon, "buy"), kinds=False) == [2], "a run that knows no kinds tells none apart"
    assert new(Histories(), view, view) == [1, 2]


@pytest.mark.parametrize("moment", [1_700_000_000.1234567, 1_700_000_000.0000005, -1.5, 253_402_214_400.0])
def test_times_meet_to_the_microsecond(moment: float) -> None:
    histories = Histories()
    histories.put("u", [Event("a", times.Wall((moment * 1e6 + 0.5) // 1 / 1e6))])
    assert new(histories, Event("a", times.Wall(moment))) == []
    assert new(histories, Event("a", times.Wall(moment + 0.001))) == [1]


def test_what_a_full_history_left_out_is_seen_and_not_taken_again() -> None:
    histories = Histories()
    histories.put("u", [Event("a", times.Wall(1000.0 + n)) for n in range(KEPT)])
    old, tied = Event("old", times.Wall(999.0), "buy"), Event("tied", times.Wall(1000.0))
    assert new(histories, old, tied, Event("late", times.Wall(1000.5))) == [3]
    assert histories.seen("u", ["buy"]) == {"old"} and len(histories.of("u")) == KEPT
    histories.put("u", [Event("a", times.Wall(1000.0 + n)) for n in range(KEPT - 1)])
    assert new(histories, old) == [1], "nothing was left out"
    histories.put("u", [Event("a")] * KEPT)
    assert new(histories, old) == [1], "nothing tells what was"


def test_a_run_trained_from_the_store_counts_each_event_once_however_often_it_starts(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GERMANE_STORE", store.address)  # type: ignore[attr-defined]
    columns = {"kind": "kind"}

    def count() -> dict[str, float]:
        shop = train(Recommender(Popular()), open_dataset(DataOptions(store=True, columns=columns), Path()), split=NoSplit())
        return dict(Service(shop, store).recommender.popular(100))

    many = [EventLine("many", f"i{n % 7}", time=1.7e9 + n / 3, kind="view") for n in range(KEPT + 60)]
    few = [EventLine(f"u{n % 5}", f"i{n % 7}", time=1.7e9 + 0.1234567, kind=kind) for n in range(30) for kind in ("view", "buy")]
    store.add_events([*many, *few])
    assert sum(count().values()) == len(many) + len(few)
    columns = {}  # a run that knows no kinds
    assert sum(count().values()) == len(many) + len(few)


def test_what_came_since_is_there_after_a_restart(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GERMANE_STORE", store.address)  # type: ignore[attr-defined]
    noon = "2026-05-01T12:00"
    store.add_events([EventLine(user, item, time=noon, kind="buy") for user in ("a", "b") for item in ("x", "y")])
    shop = train(Recommender(Popular()), open_dataset(DataOptions(store=True, columns={"kind": "kind"}), Path()), split=NoSplit())
    store.add_events([EventLine("a", "x", time=noon, kind="return")])
    Service(shop, store)
    assert [(event.item, event.kind) for event in shop.histories.of("a")] == [("x", "buy"), ("y", "buy"), ("x", "return")]
    assert dict(shop.popular(2)) == {"x": 3.0, "y": 2.0}
