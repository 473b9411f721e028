from __future__ import annotations

import random
from datetime import date, time, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from germane.data import Dataset
from germane.errors import DataError
from germane.jobs.guess import guess


def shop(rows: int = 400) -> pl.DataFrame:
    draw = random.Random(3)
    people, things = [f"c{draw.randrange(30)}" for _ in range(rows)], [f"{draw.randrange(20):03d}" for _ in range(rows)]
    return pl.DataFrame({"customer": people, "sku": things, "weather": [draw.choice(["rain", "sun"]) for _ in range(rows)]})


def meanings(*tables: pl.DataFrame | None) -> dict[str, object]:
    return dict(guess(*tables).columns)  # type: ignore[arg-type]


@pytest.mark.parametrize(("user", "item"), [("userId", "movieId"), ("USER_ID", "asin"), ("Customer ID", "StockCode"), ("session_id", "item_id")])
def test_ids_by_their_usual_names(user: str, item: str) -> None:
    frame = shop().rename({"customer": user, "sku": item})
    assert meanings(frame) == {"user": user, "item": item, "context": ["weather"]}


def test_ids_by_the_keys_of_their_own_table() -> None:
    events = shop().rename({"customer": "who", "sku": "what"})
    items = pl.DataFrame({"code": [f"{n:03d}" for n in range(20)], "colour": ["red", "blue"] * 10})
    users = pl.DataFrame({"id": [f"c{n}" for n in range(30)], "tier": ["gold", "none"] * 15})
    found = meanings(events, items, users)
    assert found["user"] == {"events": "who", "users": "id"} and found["item"] == {"events": "what", "items": "code"}
    assert found["side"] == ["colour"] and found["user_side"] == ["tier"]


def test_ids_by_coming_again_say_so() -> None:
    found = guess(shop().rename({"customer": "a", "sku": "b"}))
    assert found.columns["user"] == "a" and found.columns["item"] == "b"
    assert all("look twice" in one.why for one in found.found if one.meaning in ("user", "item"))


def test_a_date_as_people_write_it_is_no_id_that_comes_again() -> None:
    draw = random.Random(5)
    days = [f"{1 + draw.randrange(28):02d}.{1 + draw.randrange(12):02d}.2025" for _ in range(3000)]
    frame = shop(3000).rename({"customer": "Nutzer", "sku": "Artikel", "weather": "Wetter"})
    found = guess(frame.select("Nutzer", "Artikel", pl.Series("Datum", days), "Wetter"))
    assert found.columns == {"user": "Nutzer", "item": "Artikel", "time": "Datum", "context": ["Wetter"]}
    assert found.types == {"Datum": "time:%d.%m.%Y"}


def test_tables_that_do_not_fit_together() -> None:
    with pytest.raises(DataError, match="ids of the items"):
        guess(shop(), pl.DataFrame({"sku": [f"other{n}" for n in range(20)], "title": ["x"] * 20}))
    with pytest.raises(DataError, match="looks like the user"):
        guess(pl.DataFrame({"a": ["1"], "b": ["2"]}))


@pytest.mark.parametrize(
    ("written", "said"), [("{}.0", 'without ".0" behind'), (" {}", "without blanks around"), ("00{}", "without zeros"), ("#{}", "")]
)
def test_a_column_that_is_called_item_is_the_item_or_nothing_is_guessed(written: str, said: str) -> None:
    """Stars from 1 to 5 are ids of items too, by their values."""
    ids = [str(n % 60 + 1) for n in range(400)]
    events = shop().select("customer", item=pl.Series(ids), stars=pl.Series([str(1 + n % 5) for n in range(400)]))
    items = pl.DataFrame({"item": [str(n + 1) for n in range(60)], "title": [f"thing {n}" for n in range(60)]})
    assert meanings(events, items)["item"] == "item"
    apart = events.with_columns(item=pl.Series([written.format(one) for one in ids]))
    with pytest.raises(DataError, match=f"'item' of the events is called as ids of the items are.*{said}"):
        guess(apart, items)
    found = meanings(apart.rename({"item": "session"}).rename({"customer": "item"}), None, items.rename({"item": "stars"}))
    assert found["user"] == "stars"  # a usual name, and a column that is called the same in both tables


@pytest.mark.parametrize(
    ("name", "cells", "meaning"),
    [
        ("timestamp", ["1700000000", "1700000100"], "time"),
        ("ts", ["1700000000000", "1700000100000"], "time"),
        ("bought", ["2026-05-01T21:00", "2026-05-02"], "time"),
        ("time", ["3", "7"], ""),
        ("rating", ["3", "4.5"], "value"),
        ("rating", ["good", "bad"], "context"),
        ("event", ["view", "buy"], "kind"),
        ("event", ["view", "view"], ""),
        ("clicked", ["0", "1"], "label"),
        ("clicked", ["0", "2"], "context"),
        ("bought", ["True", "False"], "label"),
        ("liked", ["yes", "no"], "label"),
        ("query", ["red shoes", "a lamp"], "words"),
        ("split", ["train", "test"], "split"),
        ("geohash", ["u281z", "u33db"], "place"),
        ("degrees", ["-3,5", "21,25"], "context"),
        ("empty", [None, None], ""),
    ],
)
def test_one_column_of_the_events(name: str, cells: list[str | None], meaning: str) -> None:
    frame = shop().with_columns(pl.Series(name, [cells[n * 7 % 13 % 2] for n in range(400)], dtype=pl.String))
    told = {one.column: one.meaning for one in guess(frame).found}
    assert told[name] == meaning and told["weather"] == "context"


def test_epochs_are_times_whatever_they_are_called() -> None:
    seconds = [1_700_000_000 + 900 * n for n in range(400)]
    for name, cells, meaning in (
        ("Zeit", seconds, "time"),
        ("wann", [1000 * one for one in seconds], "time"),
        ("order_id", seconds, ""),
        ("Zeit", [100_000_001 + n for n in range(400)], ""),  # of 1973
        ("Zeit", [1_700_000_000 + n % 3 for n in range(400)], "context"),
    ):
        for column in (pl.Series(cells), pl.Series([str(one) for one in cells])):
            told = {one.column: one for one in guess(shop().with_columns(column.alias(name))).found}
            assert told[name].meaning == meaning and ("look twice" in told[name].why) == (meaning == "time")


def test_truths_of_any_type_are_labels_and_a_second_outcome_is_no_context() -> None:
    frame = shop().with_columns(
        clicked=pl.Series([n % 3 == 0 for n in range(400)]), bought=pl.Series(["true" if n % 9 == 0 else "" for n in range(400)])
    )
    frame = frame.with_columns(bought=pl.when(pl.int_range(pl.len()) % 9 == 1).then(pl.lit("false")).otherwise("bought"))
    found = guess(frame)
    assert found.columns["label"] == "clicked" and found.columns["context"] == ["weather"]
    assert "only afterwards" in next(one.why for one in found.found if one.column == "bought")


def test_an_hour_of_the_day_is_no_clock() -> None:
    frame = shop().with_columns(
        time_of_day=pl.Series([time(9 + n % 3) for n in range(400)]), took=pl.Series([timedelta(hours=n % 4) for n in range(400)])
    )
    assert meanings(frame)["context"] == ["weather", "time_of_day", "took"] and "time" not in meanings(frame)
    assert set(Dataset.from_frames(frame, columns=meanings(frame)).types.values()) == {"category"}


@pytest.mark.parametrize("days", [[date(2025, 1, 1 + n % 9) for n in range(400)], [f"2025-01-0{1 + n % 9}" for n in range(400)]])
def test_dates_beside_the_time_are_left_out_as_nothing_reads_them(days: list[object]) -> None:
    frame = shop().with_columns(time=pl.int_range(pl.len()) * 60 + 1_700_000_000, due=pl.Series(days))
    items = pl.DataFrame({"sku": frame["sku"].unique(maintain_order=True)}).with_columns(out=pl.Series(days).head(frame["sku"].n_unique()))
    found = guess(frame, items)
    assert found.columns["context"] == ["weather"] and "side" not in found.columns
    assert [one.why for one in found.found if one.column in ("due", "out")] == [
        "times, which no feature reads there: put a number of it, such as the year, in its place"
    ] * 2


def test_latitude_and_longitude_are_one_place() -> None:
    frame = shop().with_columns(lat=pl.Series([n % 90 / 1.5 for n in range(400)]), lng=pl.Series([n % 180 / 1.5 for n in range(400)]))
    assert meanings(frame)["place"] == ["lat", "lng"]
    assert "place" not in meanings(frame.with_columns(lat=pl.col("lat") * 1000))


def test_row_numbers_free_text_and_ids_are_left_out() -> None:
    frame = shop().with_columns(
        row=pl.int_range(pl.len()), order=pl.Series([f"o{n}" for n in range(400)]), note=pl.Series([f"it was fine {n}" for n in range(400)])
    )
    told = {one.column: one for one in guess(frame).found}
    assert [told[name].meaning for name in ("row", "order", "note")] == ["", "", ""]
    assert "id" in told["row"].why and "words" in told["note"].why


def test_facts_of_items_and_users_that_stand_in_the_events() -> None:
    frame = shop()
    frame = frame.with_columns(
        title="the one called " + pl.col("sku"), gender=pl.col("customer").str.tail(1).replace_strict(dict.fromkeys("13579", "f"), default="m")
    )
    found = meanings(frame)
    assert found["text"] == ["title"] and found["user_side"] == ["gender"] and found["context"] == ["weather"]


def test_columns_of_items() -> None:
    n = 60
    items = pl.DataFrame(
        {
            "sku": [f"{i:03d}" for i in range(n)],
            "description": [f"a long text about number {i}" for i in range(n)],
            "title": [f"T{i}" for i in range(n)],
            "genres": ["a|b", "c"] * (n // 2),
            "year": [str(1990 + i % 30) for i in range(n)],
            "aisle": [str(i % 7) for i in range(n)],
            "price": [f"{i},{i:02d}" for i in range(n)],
            "picture": [f"p/{i}.jpg" for i in range(n)],
            "ean": [str(4_000_000 + i * 7) for i in range(n)],
            "shop": ["ours"] * n,
        }
    )
    found = guess(shop(), items)
    assert found.columns["text"] == ["title", "description", "genres"]
    assert found.columns["side"] == ["genres", "year", "aisle", "price"]
    assert found.types == {"aisle": "category"}
    assert {one.column for one in found.found if not one.meaning} == {"picture", "ean", "shop"}


def test_kinds_and_likes_are_offered() -> None:
    frame = shop().with_columns(
        stars=pl.Series([1 + n % 5 for n in range(400)]), action=pl.Series(["buy" if n % 9 == 0 else "view" for n in range(400)])
    )
    found = guess(frame)
    assert found.liked == ">= 4" and found.kinds == ["view", "buy"]


@settings(max_examples=60, deadline=None)
@given(
    cells=st.lists(
        st.one_of(st.none(), st.text(max_size=8), st.integers(-(2**40), 2**40).map(str), st.floats(allow_nan=False).map(str)), min_size=1, max_size=30
    ),
    name=st.text(min_size=1, max_size=8),
)
def test_any_column_is_told_once(cells: list[str | None], name: str) -> None:
    frame = shop(len(cells))
    if name in frame.columns:
        return
    frame = frame.with_columns(pl.Series(name, cells, dtype=pl.String))
    found = guess(frame).found
    assert sorted(one.column for one in found) == sorted(frame.columns) and all(one.why for one in found)


def test_dates_as_people_write_them_come_with_their_form() -> None:
    days = [f"{n % 28 + 1:02d}/{n % 12 + 1:02d}/2025" for n in range(400)]
    found = guess(shop().with_columns(pl.Series("cooked at", days)))
    assert found.columns["time"] == "cooked at" and found.types == {"cooked at": "time:%d/%m/%Y"}
    alike = guess(shop().with_columns(pl.Series("cooked at", ["01/02/2025", "03/04/2025"] * 200)))
    why = next(one.why for one in alike.found if one.column == "cooked at")
    assert "time" not in alike.columns and "day or the month" in why and '"time:%m/%d/%Y"' in why
    assert [one.column for one in alike.found].count("cooked at") == 1


def test_a_second_id_is_no_fact() -> None:
    events = pl.DataFrame({"user": ["a", "b", "a"], "item": ["x", "y", "y"]})
    users = pl.DataFrame({"id": ["1", "2"], "user": ["a", "b"], "town": ["Ulm", "Bonn"]})
    made = guess(events, None, users)
    assert made.columns["user"] == "user" and "id" not in made.columns.get("user_side", [])


def test_numbers_that_a_slip_makes_texts_are_left_out_with_the_slip() -> None:
    temperatures = [f"{n / 7:.2f}" for n in range(399)]
    why = {one.column: one.why for one in guess(shop().with_columns(temp=pl.Series([*temperatures, "n.a."]))).found}["temp"]
    assert why == "400 different values are too many for a context; 'n.a.' is no number, and nearly all others are: empty such cells"
    assert meanings(shop().with_columns(temp=pl.Series([*temperatures, "NA"])))["context"] == ["weather", "temp"]
