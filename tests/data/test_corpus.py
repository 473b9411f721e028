from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from germane.data.corpus import read_corpus
from germane.errors import DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "b.txt").write_text("\ufeffrain, or sun\r\n\n  \nα β\n", encoding="utf-8")
    (tmp_path / "a.txt").write_text("first")
    frame = pl.DataFrame({"id": [1, 2, 3], "body": ["one, two", None, "three"]})
    frame.write_parquet(tmp_path / "t.parquet")
    frame.write_csv(tmp_path / "t.csv")
    frame.write_csv(tmp_path / "t.tsv", separator="\t")
    frame.write_ndjson(tmp_path / "t.jsonl")
    return tmp_path


def test_lines_of_text_files_in_the_order_of_their_names(folder: Path) -> None:
    assert [text.strip() for text in read_corpus("*.txt", folder)] == ["first", "rain, or sun", "α β"]
    assert read_corpus(["b.txt", "a.txt"], folder)[-1] == "first"


@pytest.mark.parametrize("suffix", ["parquet", "csv", "tsv", "jsonl"])
def test_a_column_of_a_table(folder: Path, suffix: str) -> None:
    assert read_corpus(f"t.{suffix}", folder, "body") == ["one, two", "three"]


def test_numbers_are_texts_too(folder: Path) -> None:
    assert read_corpus("t.parquet", folder, "id") == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("file", "column", "says"),
    [
        ("ghost*.txt", None, "no file matches"),
        ("t.csv", None, "say which column"),
        ("t.csv", "bodi", "Did you mean body?"),
        ("t.jsonl", "bodi", "Did you mean body?"),
        ("t.pdf", None, "ends in .pdf"),
        ("latin.txt", None, "not written in UTF-8"),
        ("lists.parquet", "body", "several values"),
    ],
)
def test_bad_corpora(folder: Path, file: str, column: str | None, says: str) -> None:
    (folder / "t.pdf").write_bytes(b"%PDF")
    (folder / "latin.txt").write_bytes("süß".encode("latin-1"))
    pl.DataFrame({"body": [["a", "b"]]}).write_parquet(folder / "lists.parquet")
    with pytest.raises(DataError, match=says.replace("?", r"\?")):
        read_corpus(file, folder, column)
