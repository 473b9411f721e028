from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from germane.batches import EventTable, RowBatch, Rows, event_frame, profiles
from germane.data import Dataset
from germane.features import Categories, FeatureSet, Moments


def shop(n: int = 400, seed: int = 0) -> Dataset:
    rng = np.random.default_rng(seed)
    events = {
        "user": [f"u{u}" for u in rng.integers(0, 20, n)],
        "item": [f"i{i}" for i in rng.integers(0, 30, n)],
        "weather": rng.choice(["rain", "sun"], n).tolist(),
        "stars": rng.integers(1, 6, n).tolist(),
    }
    return Dataset.from_frames(events, columns={"context": ["weather"], "value": "stars"})


def table_of(dataset: Dataset, visible: np.ndarray | None = None) -> EventTable:
    features = FeatureSet.fit([Categories()], event_frame(dataset), dict(dataset.types), dataset.separators)
    return EventTable(dataset, features, profile=profiles(FeatureSet([]), dataset.users), visible=visible)


def epoch(rows: Rows, seed: int | None = 0) -> RowBatch:
    batches = list(rows.draw(None if seed is None else np.random.default_rng(seed)))
    assert len(batches) == len(rows)
    joined = {
        name: torch.cat([getattr(batch, name) for batch in batches]) for name in ("items", "labels", "values", "converted", "waited", "weights")
    }
    users = torch.cat([batch.queries.users for batch in batches])
    moments = torch.cat([batch.queries.moment.codes for batch in batches])
    first = batches[0].queries
    queries = type(first)(users, *(getattr(first, name) for name in list(first.__dataclass_fields__)[1:]))
    return RowBatch(replace(queries, moment=Moments(moments, torch.zeros(len(users), 0))), **joined)


def test_every_row_comes_once_an_epoch() -> None:
    dataset = shop()
    rows = np.arange(100, 300)
    told = epoch(Rows(table_of(dataset), rows, 64))
    pairs = sorted(zip(told.queries.users.tolist(), told.items.tolist(), told.values.tolist(), strict=True))
    truth = zip(dataset.user_codes[rows].tolist(), dataset.item_codes[rows].tolist(), dataset.events["value"].gather(rows).to_list(), strict=True)
    assert pairs == sorted(truth)
    assert bool(torch.isnan(told.labels).all())


def test_negatives_are_nothing_that_their_user_took() -> None:
    dataset = shop()
    rows = np.arange(300)
    told = epoch(Rows(table_of(dataset), rows, 128, negatives=3))
    took = set(zip(dataset.user_codes[rows].tolist(), dataset.item_codes[rows].tolist(), strict=True))
    pairs = list(zip(told.queries.users.tolist(), told.items.tolist(), strict=True))
    assert sum(told.labels.tolist()) == 300 and len(pairs) == 1200
    assert all((pair in took) == bool(label) for pair, label in zip(pairs, told.labels.tolist(), strict=True))
    assert bool(torch.isnan(told.values[told.labels == 0]).all())


def test_negatives_stand_in_the_moment_of_their_positive() -> None:
    dataset = shop()
    told = epoch(Rows(table_of(dataset), np.arange(400), 64, negatives=2))
    seen = {(user, tuple(code)) for user, code in zip(told.queries.users.tolist(), told.queries.moment.codes.tolist(), strict=True)}
    positives = told.labels == 1
    of_positives = zip(told.queries.users[positives].tolist(), told.queries.moment.codes[positives].tolist(), strict=True)
    assert seen == {(user, tuple(code)) for user, code in of_positives}


def test_only_the_pool_is_drawn_from_and_alike() -> None:
    dataset = shop()
    pool = np.array([3, 5, 7, 11, 13, 17, 19, 23])
    told = epoch(Rows(table_of(dataset), np.arange(50), 64, negatives=40, pool=pool))
    drawn = told.items[told.labels == 0]
    assert set(drawn.tolist()) == set(pool.tolist())
    counts = torch.bincount(drawn, minlength=30)[torch.from_numpy(pool)]
    assert counts.min() > 0.5 * counts.max()


def test_drawn_once_or_anew() -> None:
    dataset = shop()
    once = Rows(table_of(dataset), np.arange(400), 512, negatives=1, redraw=False, seed=3)
    anew = Rows(table_of(dataset), np.arange(400), 512, negatives=1)

    def drawn(rows: Rows, seed: int) -> list[tuple[int, int]]:
        told = epoch(rows, seed)
        return sorted(zip(told.queries.users[told.labels == 0].tolist(), told.items[told.labels == 0].tolist(), strict=True))

    assert drawn(once, 0) == drawn(once, 1)
    assert drawn(anew, 0) != drawn(anew, 1)
    assert drawn(anew, 0) == drawn(anew, 0)


def test_who_took_everything_has_no_negatives() -> None:
    dataset = Dataset.from_frames({"user": ["all"] * 3 + ["one"], "item": ["x", "y", "z", "x"]})
    told = epoch_of_few(dataset)
    code = dataset.users["id"].to_list().index("all")
    assert not bool(((told.queries.users == code) & (told.labels == 0)).any())


def epoch_of_few(dataset: Dataset) -> RowBatch:
    rows = Rows(EventTable(dataset, FeatureSet([]), profile=profiles(FeatureSet([]), dataset.users)), np.arange(4), 64, negatives=2)
    return next(iter(rows.draw(np.random.default_rng(0))))


def test_what_was_shown_and_not_taken_is_in_no_history() -> None:
    events = {"user": ["a", "a", "a", "b"], "item": ["x", "y", "z", "x"], "label": [1, 0, 1, 1]}
    dataset = Dataset.from_frames(events, columns={"label": "label"})
    table = EventTable(dataset, FeatureSet([]), profile=profiles(FeatureSet([]), dataset.users))
    history = table.queries(np.array([2]), 5).history[0]
    names = [dataset.items["id"][int(code)] for code in history if code >= 0]
    assert names == ["x"]
    assert table.rows_of(np.array([1]), 1).labels.item() == 0


@pytest.mark.parametrize("seed", [None, 0])
def test_the_order_is_drawn_or_that_of_the_rows(seed: int | None) -> None:
    dataset = shop()
    told = epoch(Rows(table_of(dataset), np.arange(200), 64), seed)
    same = told.items.tolist() == dataset.item_codes[:200].tolist()
    assert same == (seed is None)


def test_shares_are_the_whole_batch() -> None:
    dataset = shop()
    whole = next(iter(Rows(table_of(dataset), np.arange(len(dataset)), 11).draw(None)))
    parts = [whole.share(number, 4) for number in range(4)]
    assert [len(part) for part in parts] == [3, 3, 3, 2]
    assert torch.equal(torch.stack([part.items[:2] for part in parts], dim=1).ravel(), whole.items[:8])
    assert sum(part.weight for part in parts) == whole.weight
