from __future__ import annotations

import zlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from germane.component import exported
from germane.data import ByTime, Dataset, Given, LeaveLastOut, NoSplit, Random, Split, Splitter, check_no_leak, splits
from germane.errors import ConfigError, DataError


def shop(users: str, **columns: Any) -> Dataset:
    rules = columns.pop("rules", None)
    events = {"user": list(users), "item": [f"i{n % 5}" for n in range(len(users))], **columns}
    return Dataset.from_frames(events, columns={name if name != "stars" else "value": name for name in columns}, rules=rules)


def parts(split: Split) -> tuple[list[int], list[int], list[int]]:
    return split.train.tolist(), split.validation.tolist(), split.test.tolist()


def test_leave_last_out_by_hand() -> None:
    data = shop("aabbbaacd")  # a: 0 1 5 6, b: 2 3 4, c: 7, d: 8
    split = LeaveLastOut().divide(data)
    assert parts(split) == ([0, 1, 2, 7, 8], [3, 5], [4, 6]) and split.name == "leave-last-out"
    assert parts(LeaveLastOut(validation=0, test=2).divide(data))[2] == [3, 4, 5, 6]
    assert parts(LeaveLastOut().divide(shop("aabbb")))[1:] == ([3], [1, 4])  # of two events the last is the test


def test_leave_last_out_keeps_other_events_as_history_but_never_after_what_is_asked() -> None:
    data = shop("aaaaabb", stars=[5, 1, 5, 1, 5, 5, 5], rules={"positive": ">= 4"})
    assert parts(LeaveLastOut().divide(data)) == ([0, 1, 5], [2], [4, 6])  # row 3 lies between: history of the test alone


def test_a_second_training_takes_in_validation_and_what_lies_between() -> None:
    """Events that are no targets, before the test; not those after it, and none of items that are held out."""
    rules = {"positive": ">= 4"}
    last = shop("aaaaaabb", stars=[5, 1, 5, 1, 5, 1, 5, 5], rules=rules)
    split = LeaveLastOut().divide(last)
    assert parts(split) == ([0, 1, 6], [2], [4, 7])
    assert parts(split.refitted(last)) == ([0, 1, 2, 3, 6], [], [4, 7])
    time = shop("ab" * 5, time=list(range(10)), stars=[5, 5, 5, 5, 1, 5, 1, 1, 5, 1], rules=rules)
    split = ByTime(validation=0.3, test=0.3).divide(time)
    assert parts(split) == ([0, 1, 2, 3], [5], [8])
    assert parts(split.refitted(time)) == ([0, 1, 2, 3, 4, 5, 6, 7], [], [8])
    held = shop("ab" * 5, time=list(range(10)), stars=[5] * 10, rules={"hold_out_items": 2})
    split = ByTime(validation=0.3, test=0.3).divide(held).refitted(held)
    assert not splits.held_out_items(held)[held.item_codes[split.train]].any() and len(split.train) < 7
    assert parts(NoSplit().divide(time).refitted(time)) == (list(range(10)), [], [])


def test_ties_keep_the_order_of_the_file() -> None:
    data = shop("aaabb", time=[5, 5, 5, 1, 1])
    split = LeaveLastOut(validation=0).divide(data)
    assert [data.items["id"][i] for i in data.item_codes[split.test].tolist()] == ["i4", "i2"]


def test_by_time_by_hand() -> None:
    data = shop("ab" * 10, time=list(range(20)))
    assert parts(ByTime().divide(data)) == (list(range(16)), [16, 17], [18, 19])
    assert parts(ByTime(validation_from=5, test_from=12).divide(data)) == (list(range(5)), list(range(5, 12)), list(range(12, 20)))
    assert parts(ByTime(validation=0, test_from="1970-01-01T00:00:15").divide(data))[2] == [15, 16, 17, 18, 19]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=12, max_size=60), st.floats(0, 0.4), st.floats(0, 0.4))
def test_by_time_never_parts_equal_times(moments: list[int], validation: float, test: float) -> None:
    data = shop(("ab" * 30)[: len(moments)], time=moments)
    try:
        split = ByTime(validation=validation, test=test).divide(data)
    except DataError:
        return
    check_no_leak(data, split)
    assert len(split.train) + len(split.validation) + len(split.test) == len(data)
    sets = [set(data.times[rows]) for rows in (split.train, split.validation, split.test)]
    assert not (sets[0] & sets[1] or sets[0] & sets[2] or sets[1] & sets[2])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9), st.booleans()), min_size=6, max_size=50), st.integers(0, 2), st.integers(0, 2))
def test_leave_last_out_never_leaks(entries: list[tuple[str, int, bool]], validation: int, test: int) -> None:
    users, moments, good = zip(*[*entries, ("a", 0, True), ("b", 0, True)])
    data = shop("".join(users), time=list(moments), stars=[5 if g else 1 for g in good], rules={"positive": ">= 4"})
    try:
        split = LeaveLastOut(validation=validation, test=test).divide(data)
    except DataError:
        return
    check_no_leak(data, split)
    positive = data.events["positive"].to_numpy()
    assert positive[split.test].all() and positive[split.validation].all()
    assert set(data.user_codes[split.train]) == set(range(data.n_users))  # everyone keeps an event
    assert np.bincount(data.user_codes[split.test]).max(initial=0) <= test


def test_random_is_seeded_and_disjoint() -> None:
    data = shop("ab" * 50)
    split = Random(seed=3).divide(data)
    assert parts(split) == parts(Random(seed=3).divide(data)) != parts(Random(seed=4).divide(data))
    assert sorted(row for part in parts(split) for row in part) == list(range(100)) and len(split.test) == len(split.validation) == 10


def test_given_reads_a_column() -> None:
    data = shop("abab", split=["Train", "val", "TEST", "train"])
    assert parts(Given().divide(data)) == ([0, 3], [1], [2])
    assert parts(NoSplit().divide(data)) == ([0, 1, 2, 3], [], [])


def test_held_out_items_have_test_events_alone() -> None:
    data = shop("abc" * 40, time=list(range(120)), rules={"hold_out_items": 2})
    cold = {name for name in data.items["id"] if zlib.crc32(name.encode()) % 2 == 0}
    assert 0 < len(cold) < 5
    for splitter in (ByTime(), LeaveLastOut(validation=0), Random()):
        split = splitter.divide(data)
        names = [data.items["id"][i] for i in data.item_codes.tolist()]
        assert not cold & {names[r] for r in [*split.train, *split.validation]}
        whole = splitter.divide(replace(data, rules=type(data.rules)()))
        assert split.test.tolist() == whole.test.tolist()  # their test events stay


def test_a_planted_leak_is_caught() -> None:
    data = shop("ab" * 10, time=list(range(20)))
    for splitter in (ByTime(), LeaveLastOut()):
        split = splitter.divide(data)
        check_no_leak(data, split)
        with pytest.raises(DataError, match="more than one part"):
            check_no_leak(data, replace(split, train=np.append(split.train, split.test[0])))
        future = int(split.test[-1])
        planted = replace(split, train=np.append(split.train, future), test=split.test[:-1])
        with pytest.raises(DataError, match="leaks the future"):
            check_no_leak(data, planted)


@pytest.mark.parametrize(
    ("splitter", "said"),
    [
        (ByTime(), "ByTime needs times"),
        (Given(), "told the parts"),
        (LeaveLastOut(test=1), "leaves no .* events"),
        (Random(validation=0.01), "leaves no validation events"),
    ],
)
def test_what_cannot_be_divided_says_so(splitter: Splitter, said: str) -> None:
    with pytest.raises(DataError, match=said):
        splitter.divide(shop("abc"))


def test_all_at_one_time_cannot_be_parted() -> None:
    data = shop("abab", time=[1, 1, 1, 1])
    with pytest.raises(DataError, match=r"leaves no .* all 4 have one time, 1970-01-01T00:00:01, .* use LeaveLastOut or Random"):
        ByTime().divide(data)
    assert len(ByTime(validation=0, test=0).divide(data).train) == 4


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: ByTime(tset=0.1), "Did you mean test"),
        (lambda: ByTime(test=1.5), "less than 1"),
        (lambda: ByTime(validation=0.6, test=0.6), "less than 1"),
        (lambda: ByTime(test_from="soon"), "is not a time"),
        (lambda: ByTime(validation_from=9, test_from=3), "before test_from"),
        (lambda: Random(validation=0.5, test=0.5), "less than 1"),
        (lambda: LeaveLastOut(test=-1), "greater than or equal to 0"),
    ],
)
def test_wrong_options(make: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        make()


def test_exporting_is_registering() -> None:
    assert set(exported(splits, Splitter)) == {"ByTime", "Given", "LeaveLastOut", "NoSplit", "Random"}
