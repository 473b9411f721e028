from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from germane.batches import Batch, EventTable, Timelines, event_frame, profiles
from germane.data import Dataset
from germane.data.augmentation import Alike, AugmentOptions
from germane.encoders import Words
from germane.features import Categories, FeatureSet


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


def impressions() -> Dataset:
    """40 users are shown 0 to 15 items each; every other one takes a third of them, the others nothing."""
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(40), rng.integers(0, 16, 40))
    clicked = (rng.random(len(users)) < 1 / 3) & (users % 2 == 0)
    frame = {"user": [f"u{u}" for u in users], "item": [f"i{i}" for i in rng.integers(0, 30, len(users))], "click": clicked.astype(int)}
    return Dataset.from_frames(frame, columns={"label": "click"})


@pytest.mark.parametrize(("length", "seed"), [(20, None), (20, 0), (3, None), (3, 1), (1, 2)])
@pytest.mark.parametrize("crop", [0.0, 0.7])
def test_every_labelled_row_is_asked_once_with_the_history_before_it(length: int, seed: int | None, crop: float) -> None:
    dataset = impressions()
    table, labels = table_of(dataset), dataset.events["label"].to_numpy()
    augment = AugmentOptions(crop=crop) if crop else None
    feed = Timelines(table, length, 4, shown=np.flatnonzero(labels == 0), augment=augment)
    found, taken = [], []
    for batch in feed.draw(None if seed is None else np.random.default_rng(seed)):
        assert batch.targets.shape[1] <= length and batch.shown is not None
        taken += batch.targets[batch.targets >= 0].tolist()
        assert ((batch.items >= 0) == (batch.weights > 0)).all() and batch.weight == (batch.targets >= 0).sum() + len(batch.shown.items)
        for row, place, item in zip(batch.shown.row.tolist(), batch.shown.place.tolist(), batch.shown.items.tolist(), strict=True):
            history = batch.queries.history[row, : place + 1]
            found.append((int(batch.queries.users[row]), int(item), history[history >= 0].tolist()))
    assert sorted(taken) == sorted(dataset.item_codes[labels == 1].tolist())
    wanted = []
    for row in np.flatnonzero(labels == 0):
        before = [int(dataset.item_codes[other]) for other in dataset.timelines.rows(int(dataset.user_codes[row])) if other < row and labels[other]]
        wanted.append((int(dataset.user_codes[row]), int(dataset.item_codes[row]), before))
    assert len(found) == len(wanted)
    if length == 20 and not crop:
        assert sorted(found) == sorted(wanted)
    left = list(wanted)
    for user, item, history in found:  # the newest of what came before, as far as the stretch reaches; one event at least
        at = next(n for n, (u, i, before) in enumerate(left) if (u, i) == (user, item) and before[len(before) - len(history) :] == history)
        assert history or not left[at][2]
        left.pop(at)


def shop() -> Dataset:
    rng = np.random.default_rng(0)
    n = 240
    events = {
        "user": [f"u{u}" for u in rng.integers(0, 7, n)],
        "item": [f"i{i}" for i in rng.integers(0, 30, n)],
        "time": np.sort(rng.integers(0, 10**6, n)).tolist(),
        "stars": rng.integers(1, 6, n).tolist(),
        "weather": [("sun", "rain", "snow")[w] for w in rng.integers(0, 3, n)],
    }
    return Dataset.from_frames(events, columns={"time": "time", "value": "stars", "context": ["weather"]})


def varied(augment: AugmentOptions, length: int = 12) -> tuple[EventTable, Timelines]:
    dataset = shop()
    features = FeatureSet.fit([Categories()], event_frame(dataset), {"weather": "category"})
    table = EventTable(dataset, features, profile=profiles(FeatureSet([]), dataset.users))
    likewise: Alike = lambda items, rng: (items + 1) % 30  # noqa: E731
    return table, Timelines(table, length, 4, augment=augment, alike=lambda: likewise)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 50), st.sampled_from(["crop", "mask", "insert"]), st.integers(2, 40))
def test_every_event_stays_a_target_once_however_its_history_is_varied(seed: int, kind: str, length: int) -> None:
    table, feed = varied(AugmentOptions(**{kind: 0.7}), length)
    batches = list(feed.draw(np.random.default_rng(seed)))
    told = np.concatenate([batch.targets[batch.targets >= 0].numpy() for batch in batches])
    assert np.array_equal(np.sort(told), np.sort(table.dataset.item_codes))
    assert all(batch.targets.shape[1] <= length for batch in batches)
    for batch in batches:
        assert ((batch.targets >= 0) == (batch.weights > 0)).all()


def test_what_belongs_to_an_event_goes_with_it_and_times_ascend() -> None:
    table, feed = varied(AugmentOptions(mask=0.5, reorder=1.0, insert=0.5, crop=0.5, share=0.5))
    facts = set(zip(table.items.tolist(), table.values.tolist(), table.moments.codes[:, 0].tolist(), strict=True))
    holes = others = 0
    for batch in feed.draw(np.random.default_rng(1)):
        queries = batch.queries
        for row in range(len(batch.targets)):
            held = queries.history[row] >= 0
            assert (queries.ages[row][~held] == 0).all() and queries.history_values[row][~held].isnan().all()
            assert (queries.history_moments.codes[row][~held] == 0).all()
            assert (batch.history_times[row][held].diff() >= 0).all()
            first = int(held.int().argmax())
            holes += int((~held[first:]).sum())
            values = zip(queries.history[row][held].tolist(), queries.history_values[row][held].tolist(), strict=True)
            for (item, value), code in zip(values, queries.history_moments.codes[row][held][:, 0].tolist(), strict=True):
                if (item, value, code) not in facts:
                    assert ((item - 1) % 30, value, code) in facts  # an item alike, in the moment of the one it is like
                    others += 1
    assert holes and others


def test_the_same_seed_varies_alike_and_without_one_nothing_is_varied() -> None:
    augment = AugmentOptions(mask=0.5, reorder=0.5, insert=0.5, crop=0.5)
    one, two = (list(varied(augment)[1].draw(np.random.default_rng(3))) for _ in range(2))
    assert all(torch.equal(a.queries.history, b.queries.history) and torch.equal(a.targets, b.targets) for a, b in zip(one, two, strict=True))
    table, feed = varied(augment)
    plain = Timelines(table, 12, 4)
    for a, b in zip(feed.draw(None), plain.draw(None), strict=True):
        assert torch.equal(a.queries.history, b.queries.history) and torch.equal(a.queries.ages, b.queries.ages)


def test_what_was_shown_knows_what_its_user_did_before_also_where_items_are_put_in() -> None:
    events = {"user": list("aaaaaab"), "item": list("uvwxyzu"), "time": list(range(7)), "click": [1, 1, 0, 1, 1, 1, 1]}
    dataset = Dataset.from_frames(events, columns={"time": "time", "label": "click"})
    table = table_of(dataset)
    shown = np.array([2])
    likewise: Alike = lambda items, rng: items  # noqa: E731
    for seed in range(8):
        feed = Timelines(table, 20, 4, shown=shown, augment=AugmentOptions(insert=1.0, share=1.0), alike=lambda: likewise)
        batch = next(iter(feed.draw(np.random.default_rng(seed))))
        assert batch.shown is not None and batch.targets.shape[1] == 9  # each but the last item comes twice
        held = batch.queries.history[int(batch.shown.row[0]), : int(batch.shown.place[0]) + 1].tolist()
        names = [dataset.items["id"][code] for code in held if code >= 0]
        assert names == list("uuvv")
    silent = Timelines(table, 20, 4, shown=shown, augment=AugmentOptions(reorder=1.0, share=1.0))
    batch = next(iter(silent.draw(np.random.default_rng(0))))
    assert batch.shown is not None and batch.shown.weights.tolist() == [0.0]  # its history holds what came later


def test_a_stretch_as_a_query_is_as_old_as_at_its_last_moment() -> None:
    """What learns from histories alone sees events at the ages that a query at the end would."""
    events = {"user": list("aaaabb"), "item": list("wxyzwx"), "time": [100, 110, 150, 400, 0, 7]}
    batch = next(iter(Timelines(table_of(Dataset.from_frames(events, columns={"time": "time"})), 10, 8).draw(None)))
    asked = batch.histories()
    found = {tuple(row[row >= 0].tolist()): ages[row >= 0].tolist() for row, ages in zip(asked.history, asked.ages, strict=True)}
    assert sorted(found.values()) == [[7.0], [300.0, 290.0, 250.0]] and sorted(asked.times.tolist()) == [7.0, 400.0]
    assert not asked.moment.codes.any() and not asked.words.typed.any() and asked.moment.codes.ndim == 2


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_targets_are_asked_for_once_more_by_name_whatever_was_typed(share: float) -> None:
    """Rows of words: 1 was typed at half of the events; 2 to 6 are the items' names, of which the last item has none."""
    rng = np.random.default_rng(0)
    events = {"user": [f"u{n // 20}" for n in range(2000)], "item": [f"i{i}" for i in rng.integers(0, 6, 2000)], "stars": rng.integers(1, 6, 2000)}
    dataset = Dataset.from_frames(events, columns={"value": "stars"}, rules={"positive": ">= 3"})
    words = Words.of([""] * 7, torch.arange(7.0)[:, None])
    typed = (np.arange(2000) % 2).astype(np.int64)
    table = EventTable(dataset, FeatureSet([]), profile=profiles(FeatureSet([]), dataset.users), words=(words, typed))
    names = np.array([2, 3, 4, 5, 6, 0])
    feed = Timelines(table, 20, 16, phrases=names[:, None], phrase_share=share)
    asked, targets, kept = 0, 0, 0
    for batch in feed.draw(np.random.default_rng(1)):
        there = batch.targets >= 0
        targets += int((there & (batch.targets < 5)).sum())
        kept += int((batch.queries.words.vectors[..., 0] == 1).sum())
        assert (batch.named is None) == (share == 0)
        if batch.named is None:
            continue
        at = batch.named.row, batch.named.place
        assert there[at].all() and torch.equal(batch.named.words.vectors[:, 0].long(), torch.from_numpy(names)[batch.targets[at].long()])
        assert torch.equal(batch.named.times, batch.target_times[at]) and torch.equal(batch.named.moment.codes, batch.queries.moment.codes[at])
        assert batch.counts()["ranking"] == int(there.sum()) + len(batch.named)
        asked += len(batch.named.row)
        parts = [batch.share(number, 3) for number in range(3)]
        found = [(part.targets[part.named.row, part.named.place], part.named.words.vectors) for part in parts if part.named is not None]
        assert sorted(torch.cat([items for items, _ in found]).tolist()) == sorted(batch.targets[at].tolist())
        assert all(torch.equal(said[:, 0].long(), torch.from_numpy(names)[items.long()]) for items, said in found)
    assert asked / targets == pytest.approx(share, abs=0.05)
    assert kept / 1000 == pytest.approx(0.8, abs=0.05)  # a fifth goes missing
    plain = next(iter(Timelines(table, 20, 100, phrases=names[:, None], phrase_share=share).draw(None)))
    assert plain.named is None and set(plain.queries.words.vectors.ravel().tolist()) == {0.0, 1.0}  # nothing is drawn where nothing is to be
