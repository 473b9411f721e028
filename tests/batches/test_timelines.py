from __future__ import annotations

import numpy as np
import pytest

from germane.batches import Batch, EventTable, Timelines, profiles
from germane.data import Dataset
from germane.features import FeatureSet


def table_of(dataset: Dataset) -> EventTable:
    return EventTable(dataset, FeatureSet([]), profile=profiles(FeatureSet([]), dataset.users))


def test_a_batch_counts_for_its_targets_and_not_for_what_is_history_only() -> None:
    """Batches whose gradients are added up weigh by what they are asked, as one large batch would."""
    events = {"user": list("aaabb"), "item": list("xyzxy"), "stars": [5, 1, 4, 1, 5], "kind": ["buy", "buy", "view", "buy", "buy"]}
    rules = {"positive": ">= 4", "kinds": {"buy": 1.0, "view": 0.25}}
    dataset = Dataset.from_frames(events, columns={"value": "stars", "kind": "kind"}, rules=rules)
    batches = list(Timelines(table_of(dataset), 10, 1).draw(None))
    assert sorted(batch.weight for batch in batches) == pytest.approx([1.0, 1.25])
    few = {"user": list("ab"), "item": list("xy"), "stars": [1, 5]}
    only_history = Dataset.from_frames(few, columns={"value": "stars"}, rules={"positive": ">= 4"})
    assert [batch.weight for batch in Timelines(table_of(only_history), 10, 1).draw(None)] == [1.0, 1.0]  # ratings are learnt from all events
    whole = next(iter(Timelines(table_of(dataset), 10, 8).draw(None)))
    assert whole.weight == pytest.approx(sum(batch.weight for batch in batches))


def test_every_event_is_a_target_once_whatever_the_cuts() -> None:
    rng = np.random.default_rng(0)
    events = {"user": [f"u{u}" for u in rng.integers(0, 9, 300)], "item": [f"i{i}" for i in rng.integers(0, 30, 300)]}
    dataset = Dataset.from_frames(events)
    for length, seed in ((7, 0), (7, 1), (40, None), (1, 2)):
        feed = Timelines(table_of(dataset), length, 4)
        batches = list(feed.draw(None if seed is None else np.random.default_rng(seed)))
        told = np.concatenate([batch.targets[batch.targets >= 0].numpy() for batch in batches])
        assert np.array_equal(np.sort(told), np.sort(dataset.item_codes))
        assert len(batches) >= len(feed) and all(batch.targets.shape[1] <= length for batch in batches)


def test_what_stands_before_a_target_is_what_its_user_did_before() -> None:
    dataset = Dataset.from_frames({"user": list("aaaab"), "item": list("wxyzw")})
    names = dataset.items["id"].to_list()
    for batch in Timelines(table_of(dataset), 2, 8).draw(None):
        for row in range(len(batch.targets)):
            for place in (batch.targets[row] >= 0).nonzero().ravel().tolist():
                newest = int(batch.queries.history[row, place])
                target = names[int(batch.targets[row, place])]
                before = None if newest < 0 else names[newest]
                assert before == {"w": None, "x": "w", "y": "x", "z": "y"}[target]


def test_shares_are_the_whole_batch_and_what_was_shown_goes_with_its_stretch() -> None:
    events = {"user": list("aaabbbccd"), "item": list("xyzxyzxyz"), "clicked": [1, 0, 1, 1, 0, 1, 1, 0, 1]}
    dataset = Dataset.from_frames(events, columns={"label": "clicked"})
    table = table_of(dataset)
    shown = np.flatnonzero(np.array(events["clicked"]) == 0)
    whole = next(iter(Timelines(table, 10, 8, shown=shown).draw(None)))
    parts = [whole.share(number, 3) for number in range(3)]
    assert sum(part.weight for part in parts) == pytest.approx(whole.weight)
    assert sorted(user for part in parts for user in part.queries.users.tolist()) == sorted(whole.queries.users.tolist())
    assert all(part.targets.shape[1] == whole.targets.shape[1] for part in parts)
    assert whole.shown is not None and len(whole.shown.items) == 3

    def shown_to(batch: Batch) -> list[tuple[int, int, int]]:
        assert batch.shown is not None
        return list(zip(batch.queries.users[batch.shown.row].tolist(), batch.shown.place.tolist(), batch.shown.items.tolist(), strict=True))

    assert sorted(row for part in parts for row in shown_to(part)) == sorted(shown_to(whole))
    assert not len(whole.share(7, 9).weights)  # more processes than stretches
