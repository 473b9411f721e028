from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from germane.data.format import Format
from germane.data.readers import read_files
from germane.data.values import as_numbers
from germane.errors import DataError

ROWS = {"user": ["007", "ä/β"], "item": ["1", "2"], "price": ["1,5", "20"]}


def written(folder: Path, name: str, text: str, encoding: str = "utf-8") -> Path:
    (folder / name).write_bytes(text.encode(encoding))
    return folder


@pytest.mark.parametrize("sign", [",", ";", "\t", "|"])
def test_the_separator_is_found_and_ids_stay_as_written(tmp_path: Path, sign: str) -> None:
    written(tmp_path, "e.csv", f"user{sign}item{sign}price\n007{sign}1{sign}2.5\nä/β{sign}2{sign}3\n")
    assert read_files("e.csv", tmp_path).frame.to_dict(as_series=False) == {**ROWS, "price": ["2.5", "3"]}


def test_a_value_that_stands_alone_among_lists_is_a_list_of_one(tmp_path: Path) -> None:
    lines = [{"mood": ["happy", "calm"]}, {"mood": "sad"}, {"mood": None}, {"mood": [3]}]
    written(tmp_path, "e.jsonl", "\n".join(map(json.dumps, lines)))
    assert read_files("e.jsonl", tmp_path).frame["mood"].to_list() == [["happy", "calm"], ["sad"], None, ["3"]]


def test_lines_of_json_are_counted_with_the_blank_ones(tmp_path: Path) -> None:
    written(tmp_path, "e.jsonl", '{"price": 1}\n\n  \n{"price": 2}\n\n{"price": "dear"}\n')
    with pytest.raises(DataError, match=r"e\.jsonl, line 6: column 'price' holds 'dear'"):
        as_numbers(read_files("e.jsonl", tmp_path), "price")


def test_blanks_behind_the_separator_belong_to_no_cell(tmp_path: Path) -> None:
    frame = read_files("e.csv", written(tmp_path, "e.csv", "user, item, temp\nu1, i 1, 1.5\nu2, i2, \n u3, i2,3\n" + "u4, i4, 4\n" * 9)).frame
    assert frame.head(3).to_dict(as_series=False) == {"user": ["u1", "u2", "u3"], "item": ["i 1", "i2", "i2"], "temp": ["1.5", None, "3"]}
    few = read_files("f.csv", written(tmp_path, "f.csv", "user,item\nu1, i1\nu2,i2\n")).frame
    assert few["item"].to_list() == [" i1", "i2"]  # now and then a blank may be the id's own


def test_a_decimal_comma_is_told_from_lists_and_thousands(tmp_path: Path) -> None:
    table = read_files("e.csv", written(tmp_path, "e.csv", "user;item;price;n\n007;1;1,5;1,000\nb;2;20;2,500\n"))
    assert as_numbers(table, "price").to_list() == [1.5, 20.0]
    with pytest.raises(DataError, match=r"e.csv, line 2: column 'n' holds '1,000' where a number belongs"):
        as_numbers(table, "n")
    said = read_files("e.csv", tmp_path, Format(decimal=","))
    assert as_numbers(said, "n").to_list() == [1.0, 2.5]
    with pytest.raises(DataError, match="'1,5'"):
        as_numbers(read_files("e.csv", tmp_path, Format(decimal=".")), "price")
    for cells, blamed in (("1,5;2,5;warm", "line 4.*'warm'"), ("1,5;2.5;3", "line 2.*'1,5'")):  # what is no number, and two marks in one column
        with pytest.raises(DataError, match=blamed):
            as_numbers(read_files("f.csv", written(tmp_path, "f.csv", "item;price\n" + "".join(f"a;{cell}\n" for cell in cells.split(";")))), "price")


@pytest.mark.parametrize(
    ("encoding", "word"), [("utf-8", "ä/β"), ("utf-8-sig", "ä/β"), ("utf-16", "ä/β"), ("cp1252", "Café €"), ("latin-1", "Fa\x81ß")]
)
def test_the_encoding_is_found(tmp_path: Path, encoding: str, word: str) -> None:
    table = read_files("e.csv", written(tmp_path, "e.csv", f"user,item\n{word},1\nb,2\n", encoding))
    assert table.frame["user"].to_list() == [word, "b"] and table.frame.columns == ["user", "item"]


def test_said_encodings(tmp_path: Path) -> None:
    written(tmp_path, "e.csv", "user,item\nЖ,1\n", "cp1251")
    assert read_files("e.csv", tmp_path, Format(encoding="cp1251")).frame["user"][0] == "Ж"
    with pytest.raises(DataError, match="encoding = 'klingon' is not known"):
        read_files("e.csv", tmp_path, Format(encoding="klingon"))
    with pytest.raises(DataError, match="not written in utf-8"):
        read_files("e.csv", tmp_path, Format(encoding="utf-8"))


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_lines_of_an_old_mac(tmp_path: Path, encoding: str) -> None:
    text = 'user,item,said\ru1,i1,"à, \r b"\ru2,i2,c\r'
    (tmp_path / "e.csv").write_bytes(text.encode(encoding))
    frame = read_files("e.csv", tmp_path, Format(encoding=encoding)).frame
    assert frame.rows() == [("u1", "i1", "à, \r b"), ("u2", "i2", "c")]
    (tmp_path / "e.csv").write_bytes((text + "u3,i3,d,e\r").encode(encoding))
    with pytest.raises(DataError, match=r"e\.csv, line \d: has 4 cells where the first line has 3"):
        read_files("e.csv", tmp_path, Format(encoding=encoding))


@pytest.mark.parametrize("encoding", ["base64", "rot13", "zlib", "utf-8\0", "punycode", "idna", "undefined", "utf-16"])
def test_what_cannot_be_the_encoding_is_refused(encoding: str, tmp_path: Path) -> None:
    written(tmp_path, "e.csv", "user,item\nann,1\n")
    with pytest.raises(DataError, match=r"is not known|is not written in|is empty"):
        read_files("e.csv", tmp_path, Format(encoding=encoding))


def test_a_mark_of_the_encoding_and_nothing_else_is_an_empty_file(tmp_path: Path) -> None:
    for mark in (b"\xff\xfe", b"\xef\xbb\xbf"):
        (tmp_path / "e.csv").write_bytes(mark)
        with pytest.raises(DataError, match="is empty"):
            read_files("e.csv", tmp_path)


@pytest.mark.parametrize("said", [{"separator": '"'}, {"quote": ","}, {"separator": ";", "quote": ";"}])
def test_separator_and_quote_are_two(said: dict[str, str], tmp_path: Path) -> None:
    written(tmp_path, "e.csv", "user,item\nann,1\n")
    with pytest.raises(DataError, match="both separator and quote"):
        read_files("e.csv", tmp_path, Format(**said))


def test_headers_can_be_missing_or_said(tmp_path: Path) -> None:
    written(tmp_path, "e.csv", "a,x\nb,y\n")
    assert read_files("e.csv", tmp_path, Format(header=False)).frame.columns == ["column_1", "column_2"]
    named = read_files("e.csv", tmp_path, Format(header=("user", "item")))
    assert named.frame.rows() == [("a", "x"), ("b", "y")] and named.place(1) == "e.csv, line 2"
    with pytest.raises(DataError, match=r"has 2 columns and .* header names 1"):
        read_files("e.csv", tmp_path, Format(header=("user",)))


def test_quotes_lines_and_only_what_is_worth_reading(tmp_path: Path) -> None:
    table = read_files("e.csv", written(tmp_path, "e.csv", 'user,item,note\na,x,"two\nlines, one cell"\nb,y,z\n'), only={"item", "user", "gone"})
    assert table.frame.columns == ["user", "item"] and table.names == ("user", "item", "note")
    assert table.place(1) == "e.csv, line 4"  # the line of the file, not the row


def test_tabs_take_quotes_as_ordinary_signs(tmp_path: Path) -> None:
    table = read_files("i.tsv", written(tmp_path, "i.tsv", 'item\ttitle\n1\t"Weird Al\n2\tAl "the" Man\n3\tx\n'))
    assert table.frame["title"].to_list() == ['"Weird Al', 'Al "the" Man', "x"]


def test_parquet_and_json_lines_keep_their_types(tmp_path: Path) -> None:
    frame = pl.DataFrame({"user": ["007", "b"], "tags": [["x", "y"], None], "n": [1, 2]})
    frame.write_parquet(tmp_path / "e.parquet")
    frame.write_ndjson(tmp_path / "e.jsonl")
    assert read_files("e.parquet", tmp_path).frame.equals(frame) and read_files("e.jsonl", tmp_path).frame.equals(frame)
    assert read_files("e.parquet", tmp_path, only={"n"}).frame.columns == ["n"]


def test_json_cells_of_several_types_become_text(tmp_path: Path) -> None:
    (tmp_path / "e.jsonl").write_text("\n".join(json.dumps(row) for row in [{"user": 1}, {"user": "b", "x": {"y": 1}}, {"user": None}]))
    assert read_files("e.jsonl", tmp_path).frame["user"].to_list() == ["1", "b", None]


def test_a_glob_is_one_table_in_order_of_names(tmp_path: Path) -> None:
    for name in ("2", "1"):
        written(tmp_path, f"e{name}.csv", f"user,item\nu{name},x\nv{name},y\n" if name == "1" else "item,user\nx,u2\n")
    table = read_files("e*.csv", tmp_path)
    assert table.frame["user"].to_list() == ["u1", "v1", "u2"] and table.place(2) == "e2.csv, line 2"
    written(tmp_path, "e3.csv", "user,itm\na,b\n")
    with pytest.raises(DataError, match="differ in the columns item, itm"):
        read_files("e*.csv", tmp_path)


def test_a_file_under_the_very_name_wins_over_a_pattern(tmp_path: Path) -> None:
    folder = tmp_path / "my events [new]"
    folder.mkdir()
    (tmp_path / "my events n").mkdir()
    for name, user in (("ev[1].csv", "a"), ("ev1.csv", "b"), ("ev2.csv", "c")):
        written(folder, name, f"user,item\n{user},x\n")
        pl.DataFrame({"user": [user]}).write_parquet((folder / name).with_suffix(".parquet"))
        (folder / name).with_suffix(".jsonl").write_text(f'{{"user": "{user}"}}\n')

    def users(path: str, base: Path) -> list[str]:
        return read_files(path, base).frame["user"].to_list()

    for suffix in ("csv", "parquet", "jsonl"):
        assert users(f"ev[1].{suffix}", folder) == users(f"my events [new]/ev[1].{suffix}", tmp_path) == ["a"]
        assert users(f"ev[12].{suffix}", folder) == ["b", "c"]  # no such file: a pattern
        assert users(f"*.{suffix}", folder) == users(f"my events [new]/*.{suffix}", tmp_path) == ["b", "c", "a"]
        assert users(f"{tmp_path}/**/ev[1].{suffix}", Path()) == ["b"]


def test_a_number_at_fault_behind_a_very_long_text(tmp_path: Path) -> None:
    written(tmp_path, "e.csv", f"title,price\n{'x' * 140_000},1\ny,cheap\n")
    with pytest.raises(DataError, match=r"e\.csv, line 3: column 'price' holds 'cheap'"):
        as_numbers(read_files("e.csv", tmp_path), "price")


def test_where_a_file_is_sought(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"relative to the config's folder \(.*\)\.$"):
        read_files("nix.csv", tmp_path)
    with pytest.raises(DataError, match=r"no file matches nix\.csv: .* relative to the current folder\.$"):
        read_files("nix.csv", None)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("nix.csv", None, "no file matches"),
        ("e.xlsx", "x", "this one ends in .xlsx"),
        ("e.csv.gz", "x", r"this one ends in \.gz \(unpack packed ones first\)"),
        ("e.csv", "PK\x03\x04 and more", r"e\.csv is packed \(zip\), whatever its name says: unpack it first\."),
        ("e.csv", "", "is empty"),
        ("e.csv", "user,item,user\n1,2,3\n", "the column 'user' twice"),
        ("e.csv", "user,item\n1,2\n1,2,3\n", "e.csv, line 3: has 3 cells where the first line has 2"),
        ("e.parquet", "PAR1 no", "no Parquet file"),
        ("e.jsonl", '{"user": 1}\n{"user": \n', "e.jsonl, line 2: is no JSON"),
        ("e.jsonl", "[1]\n", "line 1: is no JSON object"),
    ],
)
def test_what_cannot_be_read_says_so(tmp_path: Path, name: str, text: str | None, said: str) -> None:
    if text is not None:
        written(tmp_path, name, text)
    with pytest.raises(DataError, match=said) as caught:
        read_files(name, tmp_path)
    assert len(str(caught.value).splitlines()) == 1


def test_a_header_alone_is_an_empty_table(tmp_path: Path) -> None:
    assert read_files("e.csv", written(tmp_path, "e.csv", "user,item\n")).frame.shape == (0, 2)
    assert read_files("e.jsonl", written(tmp_path, "e.jsonl", "\n")).frame.height == 0
