from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from germane.data.augmentation import AugmentOptions, Stretches, augmented, cut, insert, mask, reorder

MOST = 12
LENGTHS = st.lists(st.integers(1, MOST), min_size=1, max_size=6)


def stretches_of(lengths: list[int]) -> tuple[Stretches, np.ndarray]:
    """Timelines of which each begins its own history; event k's item is 100 + k."""
    width, begin, asked, before = max(lengths), 0, [], []
    for n in lengths:
        events = list(range(begin, begin + n))
        asked.append([-1] * (width - n) + events)
        before.append([-1] * (width - n + 1) + events[:-1])
        begin += n
    return Stretches.of(np.array(asked), np.array(before)), 100 + np.arange(begin)


def likewise(items: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return items + 1000


@settings(deadline=None, max_examples=60)
@given(LENGTHS, st.floats(0, 1), st.floats(0, 1), st.integers(0, 99))
def test_cut_stretches_hold_every_event_once(lengths: list[int], crop: float, insert: float, seed: int) -> None:
    ends = np.cumsum(lengths)
    begins = ends - lengths
    options = AugmentOptions(crop=crop, insert=insert, mask=0.5)
    first, last, longer = cut(begins, ends, options, MOST, np.random.default_rng(seed))
    assert (last > first).all() and len(longer) == len(first)
    assert sorted(event for b, e in zip(first, last, strict=True) for event in range(b, e)) == list(range(ends[-1]))
    assert not (longer & (last - first >= MOST)).any()  # there is room in what items are put into


@settings(deadline=None, max_examples=100)
@given(LENGTHS, st.integers(0, 99), st.floats(0.05, 1), st.tuples(*[st.sampled_from([0.0, 0.5, 1.0])] * 3))
def test_whatever_is_changed_nothing_is_seen_before_it_comes(
    lengths: list[int], seed: int, share: float, chances: tuple[float, float, float]
) -> None:
    plain, items = stretches_of(lengths)
    if not any(chances):
        return
    options = AugmentOptions(mask=chances[0], reorder=chances[1], insert=chances[2], share=share)
    rng = np.random.default_rng(seed)
    changed = augmented(plain, rng.random(len(lengths)) < options.insert, options, items, likewise, MOST, rng)
    assert changed.asked.shape[1] <= MOST
    for row, n in enumerate(lengths):
        events = set(plain.asked[row][plain.asked[row] >= 0].tolist())
        told = changed.asked[row][~changed.silent[row] & (changed.asked[row] >= 0)].tolist()
        assert len(told) == len(set(told)) and set(told) <= events  # each real event at most once, in its order
        assert told == sorted(told)
        if not options.reorder:
            assert set(told) == events
        held = changed.before[row]
        assert set(held[held >= 0].tolist()) <= events
        for place in range(changed.asked.shape[1]):
            asked, seen = changed.asked[row, place], held[: place + 1]
            if asked >= 0 and not changed.silent[row, place]:
                assert (seen[seen >= 0] < asked).all()
        assert len(told) >= n - max(1, round(share * (n - 1))) * bool(options.reorder)
    real = (changed.before >= 0) & (changed.instead >= 0)
    assert (changed.instead[real] == items[changed.before[real]] + 1000).all()  # alike to the event that it stands behind
    assert (changed.before[changed.asked < 0] == -1).all()


def test_hidden_events_leave_a_hole_and_nothing_else() -> None:
    plain, _ = stretches_of([12, 3])
    none, every = mask(plain, 0.0, 1.0, np.random.default_rng(0)), mask(plain, 1.0, 1.0, np.random.default_rng(0))
    assert (none.before == plain.before).all() and (every.before == -1).all()
    some = mask(plain, 1.0, 0.5, np.random.default_rng(0))
    assert 0 < (some.before != plain.before).sum() < (plain.before >= 0).sum()
    assert (some.asked == plain.asked).all() and (some.when == plain.when).all() and not some.silent.any()


def test_a_shuffled_run_keeps_its_events_and_the_times_stay() -> None:
    plain, _ = stretches_of([12])
    changed = reorder(plain, 1.0, 0.4, np.random.default_rng(1))
    assert sorted(changed.before[0]) == sorted(plain.before[0]) and (changed.before != plain.before).any()
    assert (changed.when == plain.when).all()
    moved = np.flatnonzero(changed.before[0] != plain.before[0])
    assert moved[-1] - moved[0] < 4  # .4 of eleven events
    assert changed.silent.sum() == 3  # all of the run but its last place


def test_an_item_is_put_behind_the_one_it_is_like() -> None:
    plain, items = stretches_of([3])
    longer = insert(plain, np.array([True]), 0.5, items, likewise, 4, np.random.default_rng(0))
    assert longer.asked.tolist() in ([[0, 1, 1, 2]], [[0, 1, 2, 2]])
    place = int(np.flatnonzero(longer.instead[0] >= 0)[0])
    assert longer.silent[0].tolist() == [at == place - 1 for at in range(4)]
    assert longer.before[0, place] == longer.before[0, place - 1]
    full = insert(plain, np.array([True]), 0.5, items, likewise, 3, np.random.default_rng(0))
    assert full.asked.tolist() == plain.asked.tolist()
    unlike = insert(plain, np.array([True]), 0.5, items, lambda items, rng: np.full(len(items), -1), 9, np.random.default_rng(0))
    assert unlike.asked.tolist() == plain.asked.tolist() and (unlike.instead == -1).all()


def test_the_last_of_two_places_is_that_of_the_event() -> None:
    twice = Stretches.of(np.array([[4, 4, 5]]), np.array([[-1, 3, 4]]))
    assert twice.place_of(np.array([4, 5]), np.array([0, 0])).tolist() == [1, 2]
    assert twice.place_of(np.array([], dtype=int), np.array([], dtype=int)).tolist() == []


def test_options_that_change_nothing_are_refused() -> None:
    with pytest.raises(ValidationError, match="a chance above 0"):
        AugmentOptions()
    with pytest.raises(ValidationError, match="less than or equal to 1"):
        AugmentOptions(crop=1.5)
