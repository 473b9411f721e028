from __future__ import annotations

import numpy as np

from germane.data import Dataset, LeaveLastOut
from germane.data.following import following


def named(dataset: Dataset, pairs: np.ndarray) -> list[tuple[str, str]]:
    names = dataset.items["id"].to_list()
    return [(names[one], names[other]) for one, other in pairs]


def test_a_planted_later_event_is_no_pair() -> None:
    """Each user's last two events are held out: what leads to them is no pair, and the two are none either."""
    rows = [(user, item) for user in "abc" for item in ("p", "q", "r", f"validation-{user}", f"test-{user}")]
    frame = {"user": [user for user, _ in rows], "item": [item for _, item in rows], "time": list(range(len(rows)))}
    dataset = Dataset.from_frames(frame, columns={"time": "time"})
    split = LeaveLastOut().divide(dataset)
    assert named(dataset, following(dataset, split.train)) == [("p", "q"), ("q", "r")] * 3
    everything = named(dataset, following(dataset, np.arange(len(dataset))))
    assert ("validation-a", "test-a") in everything and len(everything) == 12


def test_what_was_shown_and_not_taken_is_passed_over() -> None:
    frame = {"user": list("aaaab"), "item": list("pxqqp"), "label": [1, 0, 1, 1, 1]}
    dataset = Dataset.from_frames(frame, columns={"label": "label"})
    assert named(dataset, following(dataset, np.arange(5))) == [("p", "q")]


def test_what_was_not_liked_comes_first_only() -> None:
    frame = {"user": list("aaab"), "item": list("pqrp"), "stars": [5, 1, 5, 5]}
    dataset = Dataset.from_frames(frame, columns={"value": "stars"}, rules={"positive": ">= 4"})
    assert named(dataset, following(dataset, np.arange(4))) == [("q", "r")]


def test_one_event_has_no_follower() -> None:
    assert following(Dataset.from_frames({"user": ["a", "b"], "item": ["p", "q"]}), np.array([0, 1])).shape == (0, 2)
