from __future__ import annotations

import pytest

from germane.histories import Histories
from germane.moment_counts import MomentCounts
from germane.types import Event

CODES = {"a": 0, "b": 1, "c": 2}


@pytest.fixture
def counts() -> MomentCounts:
    """a twice in the rain, once of these long ago; b in sun with wind; c in a moment of which nothing is known; one item that is gone."""
    histories = Histories()
    for user, item, time, context in (
        ("u", "a", 1.0, {"sky": "rain", "floor": 2.0}),
        ("u", "b", 90.0, {"sky": ["sun", "wind"], "floor": 2}),
        ("v", "a", 95.0, {"sky": "rain"}),
        ("v", "c", None, {}),
        ("v", "gone", 99.0, {"sky": "rain"}),
    ):
        histories.append(user, Event(item, time, None, None, context))
    return MomentCounts(histories, ["sky", "floor"])


def taken(counts: MomentCounts, context: dict[str, object], since: float = 50.0) -> tuple[list[float], list[float]]:
    all_of_them, lately = counts.count(context, CODES, len(CODES), since)
    return all_of_them.tolist(), lately.tolist()


def test_what_agrees_is_counted(counts: MomentCounts) -> None:
    assert taken(counts, {"sky": "rain"}) == ([2, 0, 0], [1, 0, 0])
    assert taken(counts, {"sky": "wind"}) == taken(counts, {"sky": "sun"}) == ([0, 1, 0], [0, 1, 0])
    assert taken(counts, {"sky": "rain", "floor": 2}) == ([1, 0, 0], [0, 0, 0])
    assert taken(counts, {"floor": 2.0}) == ([1, 1, 0], [0, 1, 0])  # 2 and 2.0 are one floor
    assert taken(counts, {"sky": "hail"}) == ([0, 0, 0], [0, 0, 0])
    assert taken(counts, {"sky": None})[0] == [2, 1, 1]  # not said


def test_what_comes_later_counts_too(counts: MomentCounts) -> None:
    counts.add(Event("c", 100.0, None, None, {"sky": "rain"}))
    assert taken(counts, {"sky": "rain"}) == ([2, 0, 1], [1, 0, 1])
    assert taken(counts, {"sky": "rain"}) == ([2, 0, 1], [1, 0, 1])  # once
