from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from germane.catalogue import Catalogue
from germane.data import Dataset
from germane.errors import QueryError
from germane.types import Note, Query

DAY = 86_400


@pytest.fixture
def shelf() -> Catalogue:
    """v taken five times long ago, w twice lately and once before, x never."""
    times = [1, 2, 3, 4, 5, 6, 100, 101]
    events = {"user": list("abcabcab"), "item": list("vvvvvwww"), "time": [time * DAY for time in times]}
    dataset = Dataset.from_frames(
        events, pl.DataFrame({"item": list("vwx"), "shade": ["red", "blue", "red"]}), columns={"time": "time", "side": ["shade"]}
    )
    made = Catalogue(dataset.items)
    made.count(dataset)
    return made


def test_lists_without_a_person(shelf: Catalogue) -> None:
    assert shelf.popular(2) == [("v", 5.0), ("w", 3.0)]
    assert [item for item, _ in shelf.trending(1)] == ["w"]
    assert [item for item, _ in shelf.latest(3)] == ["x", "w", "v"]
    assert [item for item, _ in shelf.popular(3, {"eq": ["shade", "red"]})] == ["v", "x"]
    shelf.took("x")
    shelf.took("nothing of ours")
    assert shelf.taken.tolist() == [5, 3, 1] and shelf.taken_lately.tolist() == [0, 2, 1]


def test_what_is_out_keeps_its_code_and_may_come_back(shelf: Catalogue) -> None:
    shelf.remove("v")
    assert [item for item, _ in shelf.popular(3)] == ["w", "x"]
    none = shelf.items.clear()
    shelf.add(none, shelf.items.filter(pl.col("id") == "v").with_columns(shade=pl.lit("green")))
    assert shelf.popular(1) == [("v", 5.0)] and shelf.codes["v"] == 0
    assert [item for item, _ in shelf.popular(3, {"eq": ["shade", "green"]})] == ["v"]
    with pytest.raises(QueryError, match="'ghost' is not in the catalogue"):
        shelf.remove("ghost")


def test_new_ones_go_behind(shelf: Catalogue) -> None:
    shelf.add(pl.DataFrame({"id": ["y"], "shade": ["red"]}), shelf.items.clear())
    assert shelf.codes == {"v": 0, "w": 1, "x": 2, "y": 3} and len(shelf) == 4 and shelf.taken[3] == 0


def test_candidates_and_filters_meet_and_the_unknown_is_noted(shelf: Catalogue) -> None:
    notes: list[Note] = []
    mask = shelf.candidates(Query(candidates=("v", "w", "ghost"), filter={"eq": ["shade", "red"]}), notes)
    assert np.flatnonzero(mask).tolist() == [0]
    assert [note.code for note in notes] == ["unknown_candidate"]
    shelf.remove("v")
    assert not shelf.candidates(Query(candidates=("v",)), []).any()
