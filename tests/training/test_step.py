from __future__ import annotations

from germane.training.step import groups


def test_groups_hold_so_many_batches_and_the_last_what_is_left() -> None:
    assert [list(group) for group in groups(iter("abcde"), 2)] == [["a", "b"], ["c", "d"], ["e"]]  # type: ignore[arg-type]
    assert list(groups(iter(()), 3)) == []
