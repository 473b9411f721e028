from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from germane.errors import ConfigError
from germane.models import UserNeighbours
from germane.types import Query

HALF = 2**-0.5
"""Cosine of {v} and the two items of any of the three."""


def test_cosines_by_hand(tiny) -> None:
    found = tiny(UserNeighbours(shrink=0)).scores(["v"])
    assert found == pytest.approx({"v": 3 * HALF, "w": 2 * HALF, "x": HALF, "nobody's": 0}, abs=1e-6)
    assert tiny(UserNeighbours(shrink=1)).scores(["v"])["x"] == pytest.approx(1 / (2**0.5 + 1), abs=1e-6)
    assert set(tiny(UserNeighbours(shrink=0)).scores([]).values()) == {0}  # no 0/0


def test_nobody_is_a_neighbour_of_their_own(tiny) -> None:
    """a took v and w, as b did (cosine 1) and as c did by half; a's own row, stored from training, would say w and v once more."""
    asked = tiny(UserNeighbours(shrink=0))
    assert asked.scores(user="a") == pytest.approx({"v": 1.5, "w": 1, "x": 0.5, "nobody's": 0}, abs=1e-6)
    assert asked.scores(["v", "w"]) == pytest.approx({"v": 2.5, "w": 2, "x": 0.5, "nobody's": 0}, abs=1e-6)  # a stranger


def test_a_user_who_came_after_training_has_no_row_to_leave_out(tiny) -> None:
    asked = tiny(UserNeighbours(shrink=0))
    stranger = asked.shop.batch([Query(history=("v", "w"))])
    later = replace(stranger, users=torch.tensor([3]))  # training knew three
    assert torch.equal(asked.model.score(later), asked.model.score(stranger))


def test_only_the_nearest_of_those_who_took_the_item_are_asked(tiny) -> None:
    """Of v's takers b is nearer than c; x was taken by c alone, who is asked about it all the same."""
    assert tiny(UserNeighbours(shrink=0, neighbours=1)).scores(user="a") == pytest.approx({"v": 1, "w": 1, "x": 0.5, "nobody's": 0}, abs=1e-6)
    assert tiny(UserNeighbours(shrink=0, among=1)).scores(user="a") == pytest.approx({"v": 1, "w": 1, "x": 0, "nobody's": 0}, abs=1e-6)


def test_many_queries_at_once_are_answered_as_one_by_one(tiny) -> None:
    asked = tiny(UserNeighbours(shrink=0, neighbours=1))
    queries = [Query(user="a"), Query(history=("x",)), Query(user="c"), Query(history=("w", "v"))] * 9
    one_by_one = torch.cat([asked.model.score(asked.shop.batch([query])) for query in queries])
    assert torch.equal(asked.model.score(asked.shop.batch(queries)), one_by_one)


def test_newer_events_may_count_more(tiny) -> None:
    """History w, v: as near to c, who took v only, as to those who took both, but for the faded w."""
    norm = (1 + 0.5**2) ** 0.5
    found = tiny(UserNeighbours(shrink=0, fade=0.5)).scores(["w", "v"])
    assert found["x"] == pytest.approx(1 / norm * HALF, abs=1e-6)
    assert found["w"] == pytest.approx(2 * 1.5 / norm * HALF, abs=1e-6)
    assert tiny(UserNeighbours(shrink=0, fade=0.5)).scores(["v", "w", "v"]) == pytest.approx(found, abs=1e-6)  # once, where it came last


@pytest.mark.parametrize("wrong", [{"neighbours": 0}, {"among": 0}, {"shrink": -1}, {"fade": 0}])
def test_options_out_of_range(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=f"UserNeighbours option {next(iter(wrong))}"):
        UserNeighbours(**wrong)
