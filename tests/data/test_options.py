from __future__ import annotations

import sqlite3
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy
from pydantic import ValidationError

from germane.data import Dataset, Given
from germane.data.addresses import database_url
from germane.data.options import DataOptions, open_dataset
from germane.data.sql import read_query
from germane.errors import ConfigError, DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "events.csv").write_text("user,item,weather,unused\n007,1,rain,x\nb,2,sun,y\n007,2,,z\n")
    (tmp_path / "items.jsonl").write_text('{"item": "1", "title": "One"}\n')
    (tmp_path / "users.tsv").write_text("user\tage\nb\t30\n")
    (tmp_path / "config.toml").write_text(
        'seed = 1\n[data]\nevents = "events.csv"\nitems = "items.jsonl"\nusers = "users.tsv"\nprompt = "{title}."\n'
        '[data.columns]\ncontext = ["weather"]\ntext = "title"\nuser_side = ["age"]\n[data.rules]\nhold_out_items = 9\n[model]\nuse = "whatever"\n'
    )
    return tmp_path


def test_a_byte_order_mark_is_passed_over(folder: Path) -> None:
    file = folder / "config.toml"
    before = Dataset.read(file).fingerprint
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert Dataset.read(file).fingerprint == before


def test_a_config_is_a_dataset(folder: Path) -> None:
    data = Dataset.read(folder / "config.toml")
    assert (len(data), data.n_users, data.n_items) == (3, 2, 2) and data.prompt == "{title}." and data.rules.hold_out_items == 9
    assert data.users.rows() == [("b", 30), ("007", None)] and data.events["context:weather"].to_list() == ["rain", "sun", None]
    frames = Dataset.from_frames(
        pl.read_csv(folder / "events.csv", infer_schema=False),
        pl.read_ndjson(folder / "items.jsonl"),
        pl.read_csv(folder / "users.tsv", separator="\t"),
        columns=data.columns,
        rules=data.rules,
        prompt=data.prompt,
    )
    assert frames.fingerprint == data.fingerprint


def test_an_unread_column_is_still_offered_as_the_nearest(folder: Path) -> None:
    with pytest.raises(DataError, match="Did you mean unused"):
        open_dataset(DataOptions(events="events.csv", columns={"context": ["unsed"]}), folder)


def test_files_of_their_own_are_given_parts(folder: Path) -> None:
    (folder / "test.csv").write_text("user,item\nb,1\n")
    (folder / "valid.csv").write_text("user,item\nnew,3\n")
    data = open_dataset(DataOptions(events="events.csv", validation="valid.csv", test="test.csv"), folder)
    split = Given().divide(data)
    assert (split.train.tolist(), split.validation.tolist(), split.test.tolist()) == ([0, 1, 2], [3], [4]) and data.users["id"][-1] == "new"


def database(folder: Path) -> Path:
    with sqlite3.connect(folder / "shop.db") as base:
        base.executescript(
            "create table e (u integer, i text, t text); insert into e values (7, 'x', '2026-05-01'), (8, 'y', '2026-05-02');"
            "create table p (i text, title text); insert into p values ('x', 'Ex');"
        )
    base.close()
    return folder


def test_sql_gives_the_tables(tmp_path: Path) -> None:
    database(tmp_path)
    options = DataOptions(
        sql="sqlite:///shop.db",
        events_query="select u as user, i as item, t from e",
        items_query="select i as item, title from p",
        columns={"time": "t", "text": ["title"]},
    )
    data = open_dataset(options, tmp_path)
    assert data.users["id"].to_list() == ["7", "8"] and data.items["title"].to_list() == ["Ex", None] and data.times[1] - data.times[0] == 86400


COLONS = "select '12:00 :00 :00:30 100% a%s ? \\:x' as said"


def test_sql_is_run_as_it_is_written(tmp_path: Path) -> None:
    read = read_query("sqlite:///shop.db", COLONS, database(tmp_path), "events_query")
    assert read.frame["said"].to_list() == ["12:00 :00 :00:30 100% a%s ? \\:x"]


def test_reading_a_database_file_changes_nothing(tmp_path: Path) -> None:
    folder = database(tmp_path)
    for query in ("drop table e", "delete from e", "insert into e select * from e"):
        with pytest.raises(DataError, match=r"could not be run on sqlite:///shop\.db: attempt to write a readonly database"):
            read_query("sqlite:///shop.db", query, folder, "events_query")
    assert read_query("sqlite:///shop.db", "select count(*) as n from e", folder, "events_query").frame["n"][0] > 0


def test_a_postgresql_server_gives_them_in_its_own_types(tmp_path: Path, postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = sqlalchemy.create_engine(postgres)
    with engine.begin() as base:
        base.exec_driver_sql("create table bought (who int, what uuid, at timestamptz, price numeric(6, 2), gift boolean)")
        base.exec_driver_sql(
            "insert into bought values (7, '00000000-0000-0000-0000-000000000001', '2026-05-01 12:00+02', 9.50, true), "
            "(8, '00000000-0000-0000-0000-000000000002', '2026-05-02 10:00+00', null, false)"
        )
    engine.dispose()
    monkeypatch.setenv("SHOP", postgres)
    columns = {"user": "who", "item": "what", "time": "at", "value": "price", "context": ["gift"]}
    data = open_dataset(DataOptions(sql="env:SHOP", events_query="select * from bought order by at", columns=columns), tmp_path)
    assert data.items["id"][0] == "00000000-0000-0000-0000-000000000001" and data.times[1] - data.times[0] == 86400
    assert data.events["value"].to_list() == [9.5, None] and data.users["id"].to_list() == ["7", "8"]
    assert read_query("env:SHOP", COLONS + ", 5::text as cast", tmp_path, "events_query").frame.row(0) == ("12:00 :00 :00:30 100% a%s ? \\:x", "5")
    with pytest.raises(DataError, match='relation "nix" does not exist'):
        read_query("env:SHOP", "select * from nix", tmp_path, "events_query")


@pytest.mark.parametrize(
    ("address", "query", "said"),
    [
        ("sqlite:///nix.db", "select 1", "nix.db does not exist"),
        ("sqlite:///shop.db", "select * from nix", "no such table"),
        ("sqlite:///shop.db", "select i, i from e", "the column 'i' twice"),
        ("nonsense", "select 1", "is no address"),
        ("postgresql://me:secret@host/shop", "select 1", "holds a password"),
        ("postgresql://host/shop?user=me&password=secret", "select 1", "holds a password"),
        ("postgresql://host/shop?PassWd=secret", "select 1", "holds a password"),
        ("postgresql://host/shop?password=env:A&password=secret", "select 1", "holds a password"),
        ("post gresql://host/shop?password=secret", "select 1", "is no address"),
        ("://me:se/cret@secret@host", "select 1", "is no address"),
        ("postgresql://me:env:GERMANE_NOT_SET@host/shop", "select 1", "GERMANE_NOT_SET, which is not set"),
        ("postgresql://host/shop?password=env:GERMANE_NOT_SET", "select 1", "GERMANE_NOT_SET, which is not set"),
        ("env:GERMANE_NOT_SET", "select 1", "GERMANE_NOT_SET, which is not set"),
        ("nosuch://host/shop", "select 1", "nosuch"),
    ],
)
def test_sql_that_cannot_be_read_says_so_and_never_tells_the_password(tmp_path: Path, address: str, query: str, said: str) -> None:
    with pytest.raises((ConfigError, DataError), match=said) as caught:
        read_query(address, query, database(tmp_path), "events_query")
    assert "secret" not in str(caught.value)


def test_a_password_behind_the_question_mark_comes_from_the_environment_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GERMANE_PASSWORD", "a&b")
    url = database_url("postgresql://host/shop?user=me&password=env:GERMANE_PASSWORD", "[data] sql")
    assert dict(url.query) == {"user": "me", "password": "a&b"}


def test_the_whole_address_may_stand_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP", "sqlite:///shop.db")
    assert read_query("env:SHOP", "select * from p", database(tmp_path), "items_query").frame.rows() == [("x", "Ex")]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "none is said"),
        ({"events": "a.csv", "use": "MovieLens100K"}, "events and use is said"),
        ({"use": "MovieLens100K", "items": "a.csv"}, "items goes with events"),
        ({"sql": "sqlite:///x.db"}, "needs events_query"),
        ({"events": "a.csv", "columns": {"usr": "x"}}, "Did you mean user"),
        ({"events": "a.csv", "columns": {"context": ["temp", "temp"]}}, "name each column once, and name 'temp' twice"),
        ({"events": "a.csv", "columns": {"context": "lat", "place": ["lat", "lon"]}}, "and name 'lat' twice"),
        ({"events": "a.csv", "rules": {"positive": "good"}}, "is not a condition"),
        ({"events": "a.csv", "format": {"separator": ",,"}}, "at most 1 character"),
        ({"events": "a.csv", "format": {"separator": "§"}}, "one character of ASCII"),
        ({"events": "a.csv", "format": {"quote": "»"}}, "one character of ASCII"),
        ({"events": "a.csv", "format": {"separator": "\n"}}, "that ends no line"),
        ({"event": "a.csv"}, "Extra inputs|event"),
    ],
)
def test_wrong_options(given: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        DataOptions.model_validate(given)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "is not there"),
        ("data = [", "is not TOML"),
        ("[dat]\nevents = 'x'\n", "no section .data.*Did you mean dat"),
        ("[data]\nevnts = 'x'\n", "Did you mean events"),
    ],
)
def test_configs_that_cannot_be_read(tmp_path: Path, text: str | None, said: str) -> None:
    if text is not None:
        (tmp_path / "c.toml").write_text(text)
    with pytest.raises(ConfigError, match=said):
        Dataset.read(tmp_path / "c.toml")


def test_an_unknown_source_names_the_known(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Did you mean MovieLens100K"):
        open_dataset(DataOptions(use="MovieLens10K"), tmp_path)
