from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from germane.errors import ConfigError
from germane.jobs.output import FORMS, check_fits, form_of, whole, write_frame, write_slates
from germane.types import Slate, SlateItem


def slate(number: int, items: int = 2) -> Slate:
    shown = tuple(SlateItem(f"i{n}", n + 1, 1.5 - n, 0.5) for n in range(items))
    return Slate(f"r{number}", f"u{number}" if number else None, "v", "Greedy", "exact", shown)


@pytest.mark.parametrize("form", FORMS)
def test_slates_in_every_form(form: str, tmp_path: Path) -> None:
    path = tmp_path / "deep" / f"lists{form}"
    assert write_slates((slate(n) for n in range(3)), path) == 3
    if form == ".jsonl":
        assert [line["user"] for line in pl.read_ndjson(path).to_dicts()] == [None, "u1", "u2"]
        return
    frame = pl.read_parquet(path) if form == ".parquet" else pl.read_csv(path, separator="\t" if form == ".tsv" else ",")
    assert frame.columns == ["recommendation_id", "user", "position", "item", "score", "propensity"]
    assert frame["item"].to_list() == ["i0", "i1"] * 3 and frame["user"].to_list() == [None, None, "u1", "u1", "u2", "u2"]


@pytest.mark.parametrize("form", FORMS)
def test_no_slates_and_empty_slates(form: str, tmp_path: Path) -> None:
    assert write_slates([], tmp_path / f"none{form}") == 0
    assert write_slates([slate(1, items=0)], tmp_path / f"empty{form}") == 1
    if form == ".parquet":
        assert pl.read_parquet(tmp_path / "none.parquet").columns == pl.read_parquet(tmp_path / "empty.parquet").columns


def test_many_slates_keep_their_order(tmp_path: Path) -> None:
    assert write_slates((slate(n, 1) for n in range(2500)), tmp_path / "l.parquet") == 2500
    assert pl.read_parquet(tmp_path / "l.parquet")["recommendation_id"].to_list() == [f"r{n}" for n in range(2500)]


@pytest.mark.parametrize("form", FORMS)
def test_each_type_is_written_or_refused_before_the_work(form: str, tmp_path: Path) -> None:
    one = [b"\xff", timedelta(1), time(1), date(2026, 5, 1), Decimal("1.5"), None, True, "a", datetime(2026, 5, 1, tzinfo=UTC)]
    several = [[b"\xff"], [timedelta(1)], [1.5], {"a": [b"\xff"]}, {"a": 1}]
    columns = [pl.Series("cells", [cell]) for cell in one + several]
    columns += [pl.Series("cells", [[1]], dtype=pl.Array(pl.Int64, 1)), pl.Series("cells", ["a"], dtype=pl.Enum(["a"]))]
    columns += [pl.Series("cells", [object()], dtype=pl.Object)]
    for column in columns:
        frame = column.to_frame()
        try:
            check_fits(frame, tmp_path / f"made{form}")
        except ConfigError as error:
            assert f"'cells' holds {column.dtype}, for which {form} has no cells: " in str(error)
            assert column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Duration, pl.Object)
        else:
            write_frame(frame, tmp_path / f"made{form}")
            if form == ".parquet":
                assert pl.read_parquet(tmp_path / "made.parquet").equals(frame)
    with pytest.raises(ConfigError, match="leave the column out"):
        check_fits(columns[-1].to_frame(), tmp_path / f"made{form}")


def test_what_fails_on_the_way_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "s.jsonl").write_text("old")

    def breaks():  # type: ignore[no-untyped-def]
        yield slate(1)
        raise ConfigError("stop")

    with pytest.raises(ConfigError, match="stop"):
        write_slates(breaks(), tmp_path / "s.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["s.jsonl"] and (tmp_path / "s.jsonl").read_text() == "old"


def test_a_full_disk_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    (tmp_path / "f.csv").write_text("old")
    with pytest.raises(ConfigError, match="No space left on device"):
        write_frame(pl.DataFrame({"a": [1]}), tmp_path / "f.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["f.csv"] and (tmp_path / "f.csv").read_text() == "old"


def test_names_that_cannot_hold_a_result(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Did you mean \.jsonl"):
        form_of("lists.json")
    with pytest.raises(ConfigError, match="nothing"):
        form_of("lists")
    (tmp_path / "d.csv").mkdir()
    with pytest.raises(ConfigError, match="folder"):
        form_of(tmp_path / "d.csv")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"), whole(tmp_path / "file" / "x.csv"):
        pass


def test_results_can_be_read_by_others(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    with whole(tmp_path / "made") as file:
        file.write(b"x")
    assert (tmp_path / "made").stat().st_mode == (tmp_path / "plain").stat().st_mode
