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
    shelf.took("x", "a")
    shelf.took("nothing of ours", "a")
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


def test_what_was_added_and_is_taken_out_is_forgotten(shelf: Catalogue) -> None:
    shelf.took("y", "a")  # before it comes
    shelf.add(pl.DataFrame({"id": ["y"], "shade": ["red"]}), shelf.items.clear())
    shelf.took("y", "a")
    shelf.remove("y")
    assert "y" not in shelf.codes and shelf.items.row(3) == ("", None) and shelf.removed == {3}
    with pytest.raises(QueryError, match="'y' is not in the catalogue"):
        shelf.code("y")
    shelf.add(pl.DataFrame({"id": ["z", "y"], "shade": ["red", None]}, schema=shelf.items.schema), shelf.items.clear())
    assert [item for item, _ in shelf.latest(2)] == ["y", "z"] and dict(shelf.popular(5))["y"] == 2
    assert Catalogue(shelf.items).codes == {"v": 0, "w": 1, "x": 2, "z": 4, "y": 5}


def test_rows_of_known_ids_are_made_whole(shelf: Catalogue) -> None:
    shelf.items = shelf.items.with_columns(size=pl.Series([1, 2, 3]))
    rows = pl.DataFrame({"id": ["y", "x", "v"], "shade": [None] * 3, "size": [None, 9, None]}, schema=shelf.items.schema)
    fresh, changed = shelf.apart(rows, ["id", "size"])
    assert fresh["id"].to_list() == ["y"] and changed.rows() == [("x", "red", 9), ("v", "red", None)]


def test_what_comes_back_is_as_it_was_at_the_beginning(shelf: Catalogue) -> None:
    none = shelf.items.clear()
    shelf.add(none, shelf.items.filter(pl.col("id") == "w").with_columns(shade=pl.lit("green")))
    for out, shade in ((False, "green"), (True, "blue")):
        if out:
            shelf.remove("w")
        assert shelf.apart(pl.DataFrame({"id": ["w"], "shade": [None]}, schema=none.schema), ["id"])[1]["shade"].to_list() == [shade]


def test_candidates_and_filters_meet_and_the_unknown_is_noted(shelf: Catalogue) -> None:
    notes: list[Note] = []
    mask = shelf.candidates(Query(candidates=("v", "w", "ghost"), filter={"eq": ["shade", "red"]}), notes)
    assert np.flatnonzero(mask).tolist() == [0]
    assert [note.code for note in notes] == ["unknown_candidate"]
    shelf.remove("v")
    assert not shelf.candidates(Query(candidates=("v",)), []).any()


def test_who_is_forgotten_took_nothing_since_the_beginning(shelf: Catalogue) -> None:
    for item in ("x", "v", np.str_("ghost")):
        shelf.took(item, "a")
    shelf.took("x", "b")
    shelf.forget("a")
    shelf.forget("a")
    assert shelf.taken.tolist() == [5, 3, 1] and shelf.taken_lately.tolist() == [0, 2, 1] and shelf.others["ghost"] == 0


def test_candidates_that_are_out_are_noted(shelf: Catalogue) -> None:
    shelf.remove("v")
    notes: list[Note] = []
    assert shelf.candidates(Query(candidates=["v", "w", "ghost"]), notes).tolist() == [False, True, False]
    assert [note.detail for note in notes] == ["2 candidates are not in the catalogue, such as 'v', 'ghost'; left out."]
