from __future__ import annotations

import importlib.util
import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import germane
from germane.data import Columns, Dataset, Rules
from germane.errors import ConfigError, DataError

EVENTS = {
    "who": ["a", "b", "a", "007"],
    "what": ["x", "y", "z", "x"],
    "when": ["2026-05-02", "2026-05-01T10:00+02:00", "2026-05-03 10:00", "2026-05-01"],
    "sky": ["rain|wind", "sun", "sun|wind", None],
    "stars": ["5", "3", "4", ""],
}
COLUMNS = {"user": "who", "item": "what", "time": "when", "value": "stars", "context": ["sky"]}


def shop(events: Any = EVENTS, items: Any = None, users: Any = None, **more: Any) -> Dataset:
    return Dataset.from_frames(events, items, users, **{"columns": COLUMNS, **more})


def test_events_are_in_order_of_time_and_ids_stay_as_written() -> None:
    data = shop()
    assert [data.users["id"][u] for u in data.user_codes.tolist()] == ["007", "b", "a", "a"]
    assert data.events["time"].to_list() == sorted(data.events["time"].to_list())
    assert data.times[1] == (datetime(2026, 5, 1, 10) - datetime(1970, 1, 1)).total_seconds()  # the wall time of its offset
    assert data.events["context:sky"].to_list() == [None, ["sun"], ["rain", "wind"], ["sun", "wind"]]
    assert data.events["value"].to_list() == [None, 3, 5, 4]
    assert data.events.schema["user"] == pl.Int32 and data.events.schema["weight"] == pl.Float32 and data.events.schema["positive"] == pl.Boolean
    assert data.types == {"sky": "categories"} and data.separators == {"sky": "|"}


def test_without_times_the_order_is_the_files() -> None:
    data = Dataset.from_frames({"user": ["b", "a", "b"], "item": ["x", "y", "z"]})
    assert not data.has_times and data.item_codes.tolist() == [0, 1, 2] and data.times.tolist() == [0, 1, 2]


def test_every_id_of_any_table_has_a_row() -> None:
    data = shop(items={"what": ["new", "x"], "title": ["New", "Ex"]}, columns={**COLUMNS, "text": "title"})
    assert data.items["id"].to_list() == ["new", "x", "y", "z"]
    assert data.items["title"].to_list() == ["New", "Ex", None, None]
    assert data.users["id"].to_list() == ["a", "b", "007"]


def test_tables_may_call_the_id_differently() -> None:
    data = shop(items={"id": ["x"], "title": ["Ex"]}, columns={**COLUMNS, "item": {"events": "what", "items": "id"}, "text": "title"})
    assert data.items.columns == ["id", "title"] and data.items["title"][0] == "Ex"


def test_facts_that_only_the_events_tell_are_taken_from_there() -> None:
    events = {"user": ["a", "b", "a"], "item": ["x", "x", "y"], "title": [None, "Ex", "Why"], "age": [30, 40, 31]}
    data = Dataset.from_frames(events, columns={"text": "title", "user_side": "age"})
    assert data.items["title"].to_list() == ["Ex", "Why"] and data.users["age"].to_list() == [30, 40]


def test_whole_numbers_of_items_stay_whole_and_leading_zeros_stay() -> None:
    items = {"what": ["x", "y"], "year": ["1995", ""], "zip": ["01234", "99999"], "price": ["1.5", "2"], "tags": ["a|b", "c"], "name": ["A|B", "C"]}
    data = shop(items=items, columns={**COLUMNS, "side": ["year"], "text": ["name"]})
    assert data.items["year"].to_list() == [1995, None, None] and data.items["zip"].to_list() == ["01234", "99999", None]
    assert data.items["price"].to_list() == [1.5, 2.0, None] and data.items["tags"].to_list() == [["a", "b"], ["c"], None]
    assert data.items["name"].to_list() == ["A|B", "C", None]  # text is never divided


def test_said_types_win() -> None:
    data = shop(
        items={"what": ["x", "y"], "genres": ["a;b", "c"], "code": [1, 2]},
        columns={**COLUMNS, "side": ["genres", "code"]},
        types={"genres": "categories:;", "code": "category", "sky": "category"},
    )
    assert data.items["genres"].to_list()[:2] == [["a", "b"], ["c"]] and data.items["code"].to_list()[:2] == ["1", "2"]
    assert data.types["code"] == "category" and data.separators == {"genres": ";"} and data.events["context:sky"][2] == "rain|wind"


def test_place_is_two_numbers_or_a_cell() -> None:
    events = {"user": ["a", "b"], "item": ["x", "y"], "lat": ["48,8", "52,5"], "lon": ["2,3", "13,4"], "cell": ["u09", "u33"]}
    pair = Dataset.from_frames(events, columns={"place": ["lat", "lon"]})
    assert pair.events["context:lat"].to_list() == [48.8, 52.5] and pair.types == {"lat": "number", "lon": "number"}
    assert Dataset.from_frames(events, columns={"place": "cell"}).types == {"cell": "category"}


def test_missing_ids_and_times_are_dropped_and_counted() -> None:
    events = {"user": ["a", None, "b", "", "c", "d"], "item": ["x", "y", None, "z", "x", "x"], "time": [1, 2, 3, 4, None, 6]}
    data = Dataset.from_frames(events, columns={"time": "time"})
    assert len(data) == 2
    assert {note.code: note.detail.split()[0] for note in data.notes} == {"missing_user": "2", "missing_item": "1", "missing_time": "1"}


def test_the_last_row_of_an_item_counts() -> None:
    data = shop(items={"what": ["x", "x", None], "title": ["old", "new", "none"]}, columns={**COLUMNS, "text": "title"})
    assert data.items["title"][0] == "new" and {n.code for n in data.notes} == {"duplicate_items", "missing_item", "unknown_items"}


def test_rules_weigh_select_and_merge() -> None:
    events = {"user": ["a", "a", "a", "b"], "item": ["x", "x", "y", "x"], "kind": ["view", "buy", "view", "view"], "n": [1, 2, 3, 4]}
    columns = {"kind": "kind", "value": "n"}
    data = Dataset.from_frames(events, columns=columns, rules={"kinds": {"view": 0.5, "rent": 2}, "target": "buy"})
    assert data.events["weight"].to_list() == [0.5, 1, 0.5, 0.5] and data.events["positive"].to_list() == [False, True, False, False]
    assert [n.code for n in data.notes] == ["unknown_kind"]
    liked = Dataset.from_frames(events, columns=columns, rules=Rules(positive=">= 3"))
    assert liked.events["positive"].to_list() == [False, False, True, True]
    twice = {"user": ["a", "b", "a"], "item": ["x", "x", "x"], "n": [1, 2, 3]}
    summed = Dataset.from_frames(twice, columns={"value": "n"}, rules={"duplicates": "sum"})
    assert summed.events.select("user", "weight", "value").rows() == [(1, 1.0, 2.0), (0, 2.0, 4.0)]  # stands where its last stood
    assert Dataset.from_frames(twice, columns={"value": "n"}, rules={"duplicates": "last"}).events["value"].to_list() == [2, 3]
    assert len(Dataset.from_frames(twice)) == 3


def test_labels_say_what_was_not_taken_up() -> None:
    data = Dataset.from_frames({"user": ["a", "b", "c"], "item": ["x", "y", "x"], "took": ["1", "0", None]}, columns={"label": "took"})
    assert data.events["label"].to_list() == [1, 0, None] and data.events["positive"].to_list() == [True, False, True]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=30, max_size=60))
def test_the_core_is_stable_and_the_largest(pairs: list[tuple[int, int]]) -> None:
    users, items = [f"u{u}" for u, _ in pairs], [f"i{i}" for _, i in pairs]
    kept = set(range(len(pairs)))
    while True:
        few = {n for n in kept if sum(users[m] == users[n] for m in kept) < 3 or sum(items[m] == items[n] for m in kept) < 3}
        if not few:
            break
        kept -= few
    try:
        data = Dataset.from_frames({"user": users, "item": items}, {"item": ["fresh"]}, rules={"min_user_events": 3, "min_item_events": 3})
    except DataError:
        assert len({users[n] for n in kept}) < 2
        return
    found = [(data.users["id"][u], data.items["id"][i]) for u, i in zip(data.user_codes.tolist(), data.item_codes.tolist())]
    assert found == [(users[n], items[n]) for n in sorted(kept)]
    assert set(data.items["id"]) == {items[n] for n in kept} | {"fresh"}  # never had an event: stays


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        (["1", "2", "3", "1"], ""),
        (["1", "2", "3", "9"], "1 of 4 items of the events are not in the items table: nothing is known of them"),
        (["1.0", "2.0", "3.0", "9.0"], "4 of 4 items .* most would be without \".0\" behind them: '1.0' is not '1'"),
        (["1", " 2", " 3 ", "1"], "2 of 3 items .* most would be without blanks around them"),
    ],
)
def test_items_that_their_own_table_lacks_are_counted(ids: list[str], said: str) -> None:
    data = shop({**EVENTS, "what": ids}, {"what": ["1", "2", "3"], "title": ["a", "b", "c"]})
    told = [note.detail for note in data.notes if note.code == "unknown_items"]
    assert len(told) == bool(said) and re.match(said, "".join(told))


@pytest.mark.parametrize(
    "cells",
    [
        ["true", "False", " TRUE", ""],
        ["yes", "no", "y", "NA"],
        ["1", "0.0", "1.0", None],
        [True, False, True, None],
        [1.0, 0, 1, None],
        [1.0, 0.0, 1.0, float("nan")],
    ],
)
def test_labels_in_words_and_numbers(cells: list[Any]) -> None:
    frame = pl.DataFrame({**EVENTS, "taken": pl.Series(cells, strict=False)})
    data = shop(frame, columns={"user": "who", "item": "what", "label": "taken"})
    assert data.events["label"].to_list() == [1, 0, 1, None] and data.events["label"].dtype == pl.Int8


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"columns": {"user": "whom"}}, "no column 'whom'.*Did you mean who"),
        ({"columns": {**COLUMNS, "context": ["skye"]}}, "'skye', which .* context names.*Did you mean sky"),
        ({"columns": {**COLUMNS, "text": ["title"]}}, "no column 'title'"),
        ({"columns": {**COLUMNS, "item": "who"}}, "both 'who'"),
        ({"columns": {**COLUMNS, "value": "sky"}}, "row 0: column 'sky' holds 'rain|wind' where a number belongs"),
        ({"columns": {**COLUMNS, "time": "sky"}}, "where a time belongs"),
        ({"columns": {**COLUMNS, "label": "stars"}}, "a label is 0 or 1"),
        ({"columns": {**COLUMNS, "label": "sky"}}, "row 0: column 'sky' holds 'rain|wind': a label is 0 or 1, false or true"),
        ({"columns": {**COLUMNS, "split": "sky"}}, "a split is train, validation or test"),
        ({"types": {"skyy": "category"}}, "no table has such a column.*Did you mean sky"),
        ({"timezone": "Mars/Base"}, "no time zone"),
        ({"rules": {"target": "buy"}}, "name its column by kind"),
        ({"columns": {"user": "who", "item": "what"}, "rules": {"positive": "> 3"}}, "name its column by value"),
        ({"rules": {"positive": "> 9"}}, "no event may be a target"),
        ({"rules": {"min_user_events": 9}}, "no event is left"),
        ({"events": {**EVENTS, "who": ["a"] * 4}}, "one single user"),
        ({"events": {name: [] for name in EVENTS}}, "holds no events"),
        ({"events": {**EVENTS, "who": [None] * 4}}, "nothing is left"),
        ({"events": 5}, "give a polars, pandas or Arrow table"),
        ({"events": {"who": [1], "what": [1, 2]}}, "is no table"),
        ({"columns": {**COLUMNS, "kind": "sky"}, "rules": {"target": "sum"}}, "Did you mean sun"),
    ],
)
def test_bad_input_is_one_clear_sentence(change: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=f"(?s){said}".replace("|", r"\|")):
        shop(**change)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"columns": {**COLUMNS, "contxt": ["sky"]}}, "Did you mean context"),
        ({"columns": {**COLUMNS, "context": ["sky", "time"]}}, "in queries is the clock: rename it"),
        ({"rules": {"positive": "about 4"}}, "is not a condition"),
        ({"rules": {"kinds": {"view": -1}}}, "0 or more"),
        ({"types": {"sky": "catgory"}}, "Did you mean category"),
        ({"types": {"sky": "number:;"}}, "types are"),
        ({"types": {"sky": "time:%H:%M"}}, "no date can be read by '%H:%M'"),
    ],
)
def test_wrong_options_are_config_errors(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        shop(**change)


def test_times_written_otherwise_are_read_by_their_form() -> None:
    days = {"who": ["a", "b"], "what": ["x", "y"], "at": ["24.12.2025 18:30", "23.12.2025 09:00"]}
    columns = {"user": "who", "item": "what", "time": "at"}
    with pytest.raises(DataError, match=r"row 0: column 'at' holds '24\.12\.2025 18:30'.* \[data.types\] 'at' = 'time:%d\.%m\.%Y %H:%M'"):
        germane.Dataset.from_frames(days, columns=columns)
    read = germane.Dataset.from_frames(days, columns=columns, types={"at": "time:%d.%m.%Y %H:%M"})
    iso = germane.Dataset.from_frames({**days, "at": ["2025-12-24T18:30", "2025-12-23T09:00"]}, columns=columns)
    assert read.times.tolist() == iso.times.tolist()
    with pytest.raises(DataError, match="it is no time by '%d/%m/%Y'"):
        germane.Dataset.from_frames(days, columns=columns, types={"at": "time:%d/%m/%Y"})


def test_all_missing_columns_are_told_at_once() -> None:
    with pytest.raises(DataError) as caught:
        shop(columns={"user": "usr", "item": "itm", "context": ["skyy"]})
    assert len(str(caught.value).splitlines()) == 3


def test_fingerprint_changes_with_any_cell_and_only_then() -> None:
    same = shop().fingerprint
    assert shop(pl.DataFrame(EVENTS)).fingerprint == same
    assert shop({**EVENTS, "stars": ["5", "3", "4", "1"]}).fingerprint != same
    assert shop(rules={"hold_out_items": 3}).fingerprint != same
    assert shop(items={"what": ["x"], "t": ["1"]}).fingerprint != same


class _PandasColumn:
    """As much of a pandas column as is asked of one, for where pandas is not installed."""

    def __init__(self, values: list[Any], kind: Any) -> None:
        self.values = np.array(values, dtype=kind)
        self.dtype = self.values.dtype

    def to_numpy(self) -> np.ndarray:
        return self.values

    def isna(self) -> _PandasColumn:
        return _PandasColumn([v is None or (isinstance(v, float) and v != v) for v in self.values], bool)


class _Pandas:
    def __init__(self, **columns: _PandasColumn) -> None:
        self.columns = list(columns)
        self.iloc = SimpleNamespace(__class__=object)
        self.iloc = _Places(list(columns.values()))


class _Places:
    def __init__(self, columns: list[_PandasColumn]) -> None:
        self.columns = columns

    def __getitem__(self, key: tuple[slice, int]) -> _PandasColumn:
        return self.columns[key[1]]


def test_pandas_is_known_by_its_shape() -> None:
    nan = float("nan")
    frame = _Pandas(
        user=_PandasColumn([7, "007", nan, "b"], object),
        item=_PandasColumn([1.0, 2.0, 3.0, nan], float),  # whole numbers with a gap, as pandas makes them
        time=_PandasColumn(["2026-05-01", "2026-05-02", "2026-05-03", "2026-05-04"], "datetime64[ns]"),
    )
    data = Dataset.from_frames(frame, columns={"time": "time"})
    assert data.users["id"].to_list() == ["7", "007"] and data.items["id"].to_list() == ["1", "2"]
    assert data.times[1] - data.times[0] == 86400


@pytest.mark.parametrize("unit", ["D", "h", "s", "ms", "us", "ns"])
def test_times_of_pandas_in_any_unit(unit: str) -> None:
    days = ["2026-05-01", "2026-05-02", "2026-05-04"]
    ids = {"user": _PandasColumn(list("aab"), object), "item": _PandasColumn(list("xyz"), object)}
    frame = _Pandas(**ids, time=_PandasColumn(days, f"datetime64[{unit}]"))
    assert np.diff(Dataset.from_frames(frame, columns={"time": "time"}).times).tolist() == [86_400, 2 * 86_400]


def test_a_second_column_of_ids_is_no_fact_and_an_id_may_be_one() -> None:
    items = {"what": ["x", "y", "z"], "id": ["1", "2", "3"]}
    with pytest.raises(DataError, match=r"names 'id' as a fact of items, whose ids are in 'what': rename the column"):
        shop(items=items, columns={**COLUMNS, "side": ["id"]})
    with pytest.raises(DataError, match=r"names 'id' as a fact of users, whose ids are in 'who'"):
        shop({**EVENTS, "id": ["1", "2", "1", "3"]}, columns={**COLUMNS, "user_side": ["id"]})
    read = shop(items=items, columns={**COLUMNS, "text": ["what"]}).items
    assert read.columns == ["id", "what"] and read["what"].to_list() == read["id"].to_list()


@pytest.mark.parametrize(
    ("cells", "read"),
    [
        ([np.array([1, 2]), None, np.array([3])], [["1", "2"], None, ["3"]]),
        ([np.ones((1, 2)), None, [[2.0]]], [["[1.0, 1.0]"], None, ["[2.0]"]]),
        ([{"a": 1}, None, {"b": "x"}], ['{"a": 1, "b": null}', None, '{"a": null, "b": "x"}']),
        ([{1}, None, {2}], ["{1}", None, "{2}"]),
        ([timedelta(hours=1), None, timedelta(days=2)], ["1:00:00", None, "2 days, 0:00:00"]),
        (  # the wall clock of each offset
            [datetime(2026, 5, 1, 10, tzinfo=timezone(timedelta(hours=offset))) for offset in (2, -5)] + [datetime(2026, 5, 1, 11)],
            [1777629600.0, 1777629600.0, 1777633200.0],
        ),
    ],
)
def test_odd_cells_of_pandas_stop_nothing(cells: list[Any], read: list[Any]) -> None:
    odd = np.empty(3, dtype=object)
    odd[:] = cells
    columns = {"user": _PandasColumn(["a", "b", "a"], object), "item": _PandasColumn(["x", "y", "z"], object)}
    column = _PandasColumn([], object)
    column.values = odd
    frame = _Pandas(**columns, odd=column)
    assert len(Dataset.from_frames(frame)) == 3
    assert Dataset.from_frames(frame, columns={"context": ["odd"]}).events["context:odd"].to_list() == read
    items = _Pandas(item=columns["item"], odd=column)
    assert Dataset.from_frames(frame, items).n_items == 3
    assert "odd" in Dataset.from_frames(frame, items, columns={"side": ["odd"]}).items.columns


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ([1, 2, None], "category"),  # few whole numbers are codes
        ([1.0, float("nan"), 2.0], "category"),
        (list(range(60)), "number"),
        ([1.5, 2.0], "number"),
        (["1", "", "NA", "2"], "category"),
        (["007", "1"], "category"),
        (["a|b", "c", None], "categories"),
        (["a|b", *"cdefg"], "category"),
        ([["a"], ["b", "c"]], "categories"),
        (["2026-05-01", "2026-05-02T10:00Z"], "time"),
        ([" 1.5", "2 ", " NA"], "number"),
        ([" 2026-05-01", "2026-05-02 "], "time"),
        ([datetime(2026, 5, 1), None], "time"),
        ([True, False], "category"),
        ([None, None], "category"),
    ],
)
def test_types_of_context_columns_are_detected(cells: list[Any], kind: str) -> None:
    events = {"user": ["a", "b"] * len(cells), "item": ["x"] * 2 * len(cells), "c": cells * 2}
    assert Dataset.from_frames(events, columns={"context": "c"}).types["c"] == kind


@pytest.mark.skipif(importlib.util.find_spec("pandas") is None, reason="pandas is not installed")
def test_real_pandas() -> None:
    import pandas

    frame = pandas.DataFrame(EVENTS)
    frame["when"] = pandas.to_datetime(["2026-05-02", "2026-05-01T10:00", "2026-05-03 10:00", "2026-05-01"], format="ISO8601").tz_localize(
        "Europe/Berlin"
    )
    assert shop(frame).events.drop("weight").equals(shop().events.drop("weight"))
    frame.columns = ["who", "what", "when", "sky", "sky"]
    with pytest.raises(DataError, match="'sky' twice"):
        shop(frame, columns={"user": "who", "item": "what"})


def test_arrow_is_known_by_its_stream() -> None:
    class Stream:
        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            return pl.DataFrame(EVENTS).__arrow_c_stream__(requested_schema)

    assert shop(Stream()).fingerprint == shop().fingerprint


@pytest.mark.parametrize("kind", [pl.Categorical, pl.Enum(["4", "5", "2026-05-01", "2026-05-02", "a", "b"]), pl.Binary])
def test_text_kept_as_codes_or_bytes_is_read_as_text_is(kind: Any) -> None:
    rows = {"who": ["a", "b", "a"], "what": ["b", "b", "a"], "when": ["2026-05-01", "2026-05-01", "2026-05-02"], "stars": ["4", "5", None]}
    kept = shop(pl.DataFrame(rows).cast(kind), columns={"user": "who", "item": "what", "time": "when", "value": "stars"})
    assert kept.events.equals(shop(rows, columns=kept.columns).events) and kept.users["id"].to_list() == ["a", "b"]
    with pytest.raises(DataError, match=r"row 0: column 'what' holds 'b' where a number belongs"):
        shop(pl.DataFrame(rows).cast(kind), columns={**COLUMNS, "value": "what", "context": []})


def test_bytes_that_are_no_text_are_told_in_hex() -> None:
    ids = pl.Series([bytes([200 + n % 2] * 4) for n in range(4)])
    sky = pl.Series([[b"rain", b"\xff"], [], [b"sun"], None], dtype=pl.List(pl.Binary))
    read = shop(pl.DataFrame(EVENTS).with_columns(who=ids, sky=sky))
    assert read.users["id"].to_list() == ["c8c8c8c8", "c9c9c9c9"] and read.types["sky"] == "categories"
    assert read.events["context:sky"].to_list() == [None, None, ["rain", "ff"], ["sun"]]
    assert shop(pl.DataFrame(EVENTS).with_columns(sky=pl.Series(EVENTS["sky"]).cast(pl.Binary))).types["sky"] == "categories"


def test_a_name_that_two_tables_have_is_told_where_their_types_differ() -> None:
    events = {**EVENTS, "level": [0.5, 1.5, 2.5, 3.5]}
    said = {**COLUMNS, "context": ["level"]}
    with pytest.raises(DataError, match=r"items table, row 0: .* holds 'high' .* 'level' is a column of the events table too.*rename one"):
        shop(events, {"what": ["x"], "level": ["high"]}, columns=said)
    with pytest.raises(DataError, match=r"Mend the cell[^.]*\.types\][^.]*\.$") as alone:
        shop({**events, "level": ["1", "2", "high", "3"]}, columns=said, types={"level": "number"})
    assert "rename" not in str(alone.value)
    with pytest.raises(DataError, match=r"users table, row 0: .* is a column of the items table too"):
        columns = {**COLUMNS, "side": ["level"], "user_side": ["level"]}
        shop(EVENTS, {"what": ["x", "y"], "level": [0.5, 1.5]}, {"who": ["a"], "level": ["gold"]}, columns=columns)


def test_categories_of_whole_numbers_have_no_points() -> None:
    given = shop({**EVENTS, "what": ["1.0", "2.0", "1.0", "2.0"], "room": ["5.0", "", "12.0", "5.0"]}, columns={**COLUMNS, "context": ["room"]})
    assert given.types["room"] == "category" and given.events["context:room"].to_list() == ["5", None, "5", "12"]
    assert given.items["id"].to_list() == ["1.0", "2.0"]
    version = shop({**EVENTS, "room": ["5.0", "5.1", "12.0", "5.0"]}, columns={**COLUMNS, "context": ["room"]}, types={"room": "category"})
    assert sorted(version.events["context:room"].unique()) == ["12.0", "5.0", "5.1"]


def test_typed_columns_and_rows_of_mappings() -> None:
    aware = datetime(2026, 5, 1, 21, tzinfo=timezone(timedelta(hours=2)))
    rows = [{"user": 1, "item": 2, "time": aware, "ok": True}, {"user": 2, "item": 2, "time": aware.astimezone(UTC), "ok": None}]
    data = Dataset.from_frames(rows, columns=Columns(time="time", context=("ok",)))
    assert data.users["id"].to_list() == ["1", "2"] and data.types == {"ok": "category"} and len(set(data.times)) == 1


def test_digits_of_other_scripts_are_texts() -> None:
    """No number is read of them, and nothing ends in an error of the program."""
    for strange in ("１９９０", "٣"):
        events = {"user": ["a", "b", "c"], "item": ["x", "y", "z"], "mood": [strange, "2", "3"]}
        items = {"item": ["x", "y", "z"], "year": [strange, "1991", "1992"]}
        dataset = Dataset.from_frames(events, items, columns={"context": ["mood"], "side": ["year"]})
        assert dataset.types["mood"] == dataset.types["year"] == "category"
        assert dataset.items["year"][0] == strange


def test_a_cell_that_keeps_a_column_from_being_numbers_is_named(tmp_path: Path) -> None:
    cells = [*(f"{n}.5" for n in range(18)), "n.a.", ""]
    people = ["a", "b"] * 10
    (tmp_path / "e.csv").write_text("user,item,temp\n" + "".join(f"{who},x,{cell}\n" for who, cell in zip(people, cells, strict=True)))
    (tmp_path / "c.toml").write_text('[data]\nevents = "e.csv"\n[data.columns]\nuser = "user"\nitem = "item"\ncontext = ["temp"]\n')
    read = Dataset.read(tmp_path / "c.toml")
    said = "e.csv, line 20: column 'temp' holds 'n.a.', and numbers in nearly all other cells, so each value is a category: empty such cells"
    assert read.types["temp"] == "category" and [note.detail.startswith(said) for note in read.notes if note.code == "nearly_numbers"] == [True]

    events = {"user": people, "item": ["x"] * 20, "c": cells}
    assert not shop(events, columns={"context": ["c"]}, types={"c": "category"}).notes  # said
    for others in (["x"] * 3 + cells[3:18] + ["", ""], ["00" + cell for cell in cells], [*map(str, range(19)), "x"]):  # too many; ids; few codes
        assert not shop(events | {"c": others}, columns={"context": ["c"]}).notes
