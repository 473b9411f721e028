from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from germane import times
from germane.data import Dataset
from germane.data.brought import items_of, pairs_of
from germane.data.readers import read_files
from germane.data.tables import as_table
from germane.errors import DataError

SAID = {"genres": "categories:;", "out": "time:%d.%m.%Y", "time": "time:%d.%m.%Y %H:%M", "mood": "categories:;"}


@pytest.fixture(scope="module")
def shop() -> Dataset:
    events = {
        "user": ["u1", "u2"],
        "item": ["i1", "i2"],
        "time": ["01.02.2026 10:00", "02.02.2026 11:00"],
        "degrees": ["1,5", "20,25"],
        "mood": ["calm;glad", "glad"],
    }
    items = {"item": ["i1", "i2"], "genres": ["a;b", "b"], "year": ["1999", "2005"], "out": ["24.12.1999", "31.01.2005"], "zip": ["007", "123"]}
    columns = {"time": "time", "context": ["degrees", "mood"], "side": ["genres", "year"]}
    return Dataset.from_frames(events, items, columns=columns, types=SAID, timezone="Europe/Berlin")


def items(shop: Dataset, **columns: list[object]) -> pl.DataFrame:
    return items_of(as_table(columns, "new.csv"), shop, shop.items.schema)


def test_pairs_are_read_as_events_are(shop: Dataset) -> None:
    given = {"user": ["u1", None], "item": ["007", "i2"], "time": ["01.02.2026 10:00", None], "degrees": ["1,5", ""], "mood": ["calm; glad", None]}
    pairs = pairs_of(as_table(given, "pairs.csv"), shop, ["degrees", "mood"])
    assert pairs["user"].to_list() == ["u1", None] and pairs["item"].to_list() == ["007", "i2"]
    assert pairs["time"].to_list() == [times.parse("2026-02-01T10:00"), None]
    assert pairs["context:degrees"].to_list() == [1.5, None] and pairs["context:mood"].to_list() == [["calm", "glad"], None]
    epochs = pairs_of(as_table({"user": ["u1"], "item": ["i1"], "time": [0]}, "pairs.csv"), shop, [])
    assert epochs["time"].to_list() == [3600.0]  # Berlin's wall clock


def test_new_items_are_read_as_the_catalogue_was(shop: Dataset) -> None:
    new = items(shop, item=["n1", "n2"], genres=["a;c", None], year=["2020", "n/a"], out=["01.03.2020", ""], zip=["00", "1"])
    assert new.schema == shop.items.schema
    assert new.rows() == [("n1", ["a", "c"], 2020, times.parse("2020-03-01"), "00"), ("n2", None, None, None, "1")]
    assert items(shop, id=["n1", "n1"], year=[1, 2]).select("id", "year", "zip").rows() == [("n1", 2, None)]
    assert items(shop, item=["n1"], year=["1,5"])["year"].to_list() == [1.5]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("item;year\nn1;1999\nn2;abc\n", r"new\.csv, line 3: column 'year' holds 'abc' where a number belongs"),
        ("item;out\nn1;2020-01-01\n", r"new\.csv, line 2: column 'out' holds '2020-01-01' where a time belongs.*%d\.%m\.%Y"),
        ("item;zip\nn1;1\n;2\n", r"new\.csv, line 3: column 'item' is empty"),
        ("itm;zip\nn1;1\n", r"new\.csv has no column 'item'.*Did you mean itm\?"),
    ],
)
def test_a_cell_that_cannot_be_read_is_named(shop: Dataset, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "new.csv").write_text(text)
    with pytest.raises(DataError, match=said):
        items_of(read_files("new.csv", tmp_path), shop, shop.items.schema)


def test_a_pair_that_cannot_be_read_is_named(shop: Dataset, tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("user,item,degrees\nu1,i1,3\nu1,i1,warm\n")
    with pytest.raises(DataError, match=r"pairs\.csv, line 3: column 'degrees' holds 'warm' where a number belongs"):
        pairs_of(read_files("pairs.csv", tmp_path), shop, ["degrees"])


def test_rows_of_empty_cells_say_nothing(shop: Dataset, tmp_path: Path) -> None:
    """A spreadsheet ends with them; what stands behind one is named by its own line all the same."""
    (tmp_path / "new.csv").write_text("item;year\nn1;1999\n;\nn2;2001\n;\n")
    assert items_of(read_files("new.csv", tmp_path), shop, shop.items.schema).select("id", "year").rows() == [("n1", 1999), ("n2", 2001)]
    (tmp_path / "new.csv").write_text("item;year\n;\nn2;abc\n")
    with pytest.raises(DataError, match=r"line 3: column 'year' holds 'abc'"):
        items_of(read_files("new.csv", tmp_path), shop, shop.items.schema)
    assert items(shop, item=["n1", None], year=[2000.0, None])["year"].to_list() == [2000]


def test_a_misspelt_column_is_named_and_others_are_passed_over(shop: Dataset) -> None:
    with pytest.raises(DataError, match=r"has a column 'yaer', and the catalogue has none of this name\. Did you mean year\?"):
        items(shop, item=["i9"], yaer=[1999])
    found = items(shop, item=["i9"], year=[1999], years=[4], price=[3])  # the year is there
    assert found["year"].to_list() == [1999] and found.columns == shop.items.columns
