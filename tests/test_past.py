from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from germane.data import Dataset
from germane.histories import KEPT, Histories
from germane.past import recall
from germane.types import Event


def recalled(dataset: Dataset) -> Histories:
    histories = Histories()
    recall(dataset, histories)
    return histories


def test_events_come_back_as_they_were_oldest_first() -> None:
    events = {
        "user": ["a", "b", "a", "a"],
        "item": ["x", "y", "y", "x"],
        "time": [30.0, 10.0, 20.0, 40.0],
        "stars": [1.0, None, 3.0, 4.0],
        "what": ["buy", None, "view", "view"],
        "sky": ["sun", None, None, "rain"],
        "mood": [["calm"], ["calm", "glad"], None, None],
    }
    columns = {"time": "time", "value": "stars", "kind": "what", "context": ["sky", "mood"]}
    histories = recalled(Dataset.from_frames(pl.DataFrame(events), users=pl.DataFrame({"user": ["silent", "a", "b"]}), columns=columns))
    assert histories.of("a") == [
        Event("y", 20.0, "view", 3.0),
        Event("x", 30.0, "buy", 1.0, {"sky": "sun", "mood": ["calm"]}),
        Event("x", 40.0, "view", 4.0, {"sky": "rain"}),
    ]
    assert histories.of("b") == [Event("y", 10.0, None, None, {"mood": ["calm", "glad"]})]
    assert histories.seen_by_kind("a") == {"view": {"x", "y"}, "buy": {"x"}} and histories.kinds() == {"view": 2, "buy": 1}
    assert histories.users() == ["a", "b"]


def test_all_is_seen_and_the_newest_are_kept() -> None:
    rng = np.random.default_rng(0)
    users, times = rng.integers(0, 3, 900), rng.permutation(900).astype(float)
    dataset = Dataset.from_frames({"user": users, "item": np.arange(900), "time": times}, columns={"time": "time"})
    histories = recalled(dataset)
    for user in range(3):
        own = np.flatnonzero(users == user)
        assert histories.seen(str(user)) == set(map(str, own)) and len(own) > KEPT
        assert [event.item for event in histories.of(str(user))] == [str(row) for row in own[np.argsort(times[own])][-KEPT:]]


def test_places_stand_for_times() -> None:
    histories = recalled(Dataset.from_frames({"user": ["a", "b", "a"], "item": ["x", "y", "z"]}))
    assert histories.of("a") == [Event("x"), Event("z")] and histories.of("b") == [Event("y")]


def test_many_users_need_no_more_looks_at_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look at a table costs as much as hundreds of events, and most users have few."""
    looks = 0
    look = pl.DataFrame.__getitem__

    def counted(frame: pl.DataFrame, key: Any) -> Any:
        nonlocal looks
        looks += 1
        return look(frame, key)

    told = []
    for n in (3, 300):
        dataset = Dataset.from_frames({"user": np.arange(n), "item": np.arange(n), "sky": ["sun"] * n}, columns={"context": ["sky"]})
        with monkeypatch.context() as patch:
            patch.setattr(pl.DataFrame, "__getitem__", counted)
            assert len(recalled(dataset)) == n
        told.append(looks)
        looks = 0
    assert told[0] == told[1]
