from __future__ import annotations

import tomllib
from pathlib import Path

import polars as pl
import pytest

from germane.config import Config
from germane.data.readers import read_files
from germane.encoders import prompts
from germane.errors import ConfigError, DataError
from germane.jobs.guess import Guess
from germane.jobs.init import as_toml, init


def tables(folder: Path) -> None:
    rows = range(300)
    pl.DataFrame(
        {
            "user": [f"u{n % 17}" for n in rows],
            "item": [f"{n * 7 % 30:03d}" for n in rows],
            "time": [1_700_000_000 + 60 * n for n in rows],
            "stars": [1 + n % 5 for n in rows],
            'odd "name"\\': ["a" if n % 3 else "b" for n in rows],
        }
    ).write_csv(folder / "events.csv")
    pl.DataFrame(
        {"item": [f"{n:03d}" for n in range(30)], "title": [f"thing number {n}" for n in range(30)], "bin no": [n % 3 for n in range(30)]}
    ).write_csv(folder / "items.csv")


def test_what_is_written_reads_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "configs").mkdir()
    tables(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    path, _ = init("data/events.csv", "data/items.csv", out="configs/shop.toml")
    config = Config.read(path)
    dataset = config.dataset()
    assert len(dataset) == 300 and dataset.items["id"][1] == "001"
    assert config.data.events == "../data/events.csv" and config.sections["split"] == {"use": "ByTime"}
    assert config.data.columns["context"] == ['odd "name"\\'] and config.data.types == {"bin no": "category"}
    assert '# positive = ">= 4"' in path.read_text() and '# prompt = "{title}."  # how an item reads' in path.read_text()
    assert len(config.split.divide(dataset).test)


def test_without_times_the_last_events_are_held_out(tmp_path: Path) -> None:
    tables(tmp_path)
    pl.read_csv(tmp_path / "events.csv").drop("time").write_csv(tmp_path / "events.csv")
    path, _ = init(str(tmp_path / "events.csv"), out=tmp_path / "c.toml")
    assert tomllib.loads(path.read_text())["split"] == {"use": "LeaveLastOut"}
    assert "PopularLately" not in path.read_text()


@pytest.mark.parametrize(("times", "said"), [(1, None), (3, False)])
def test_what_is_taken_again_and_again_may_be_shown_again(tmp_path: Path, times: int, said: bool | None) -> None:
    pairs = [(f"u{user}", f"i{item}") for user in range(12) for item in range(9)]
    rows = [(*pair, 1_700_000_000 + 977 * n + step, "tv" if n % 3 else "phone") for step in range(times) for n, pair in enumerate(pairs)]
    pl.DataFrame(rows, schema=["user", "item", "time", "device"], orient="row").write_csv(tmp_path / "events.csv")
    path, _ = init(str(tmp_path / "events.csv"), out=tmp_path / "c.toml")
    config = Config.read(path)
    assert config.sections["evaluation"].get("exclude_seen") is said
    assert ("67% of the events" in path.read_text()) == (times == 3)
    asked = path.read_text().replace("# variants", "variants")
    path.write_text(asked)
    assert Config.read(path).evaluation.variants == ("without context", "context shuffled")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("truth", [int, bool])
def test_labels_are_learnt_and_what_was_not_taken_is_not_taken_again(tmp_path: Path, truth: type, suffix: str) -> None:
    """Everyone is shown the same ten things again and again, and takes each once."""
    shown = [(user, item, turn) for user in range(15) for item in range(10) for turn in range(3)]
    rows = [(f"u{user}", f"i{item}", 1_700_000_000 + 97 * (user + item + 20 * turn), truth(turn == 2)) for user, item, turn in shown]
    getattr(pl.DataFrame(rows, schema=["user", "item", "time", "clicked"], orient="row"), f"write_{suffix}")(tmp_path / f"events.{suffix}")
    path, _ = init(str(tmp_path / f"events.{suffix}"), out=tmp_path / "c.toml")
    config = Config.read(path)
    assert dict(config.training.objective(config.model).heads) == {"ranking": 1.0, "click": 0.5}
    assert config.dataset().events["label"].sum() == 150
    assert "exclude_seen" not in config.sections["evaluation"]


def test_a_time_of_day_called_time_is_left_out_with_a_reason(tmp_path: Path) -> None:
    tables(tmp_path)
    frame = pl.read_csv(tmp_path / "events.csv")
    parts = pl.Series("time", [("morning", "evening")[n // 7 % 2] for n in range(frame.height)])
    frame.rename({"time": "timestamp"}).with_columns(parts).write_csv(tmp_path / "events.csv")
    path, _ = init(str(tmp_path / "events.csv"), out=tmp_path / "c.toml")
    assert Config.read(path).data.columns["time"] == "timestamp" and "rename the column" in path.read_text()
    assert len(Config.read(path).dataset()) == 300


def test_a_value_may_be_learnt(tmp_path: Path) -> None:
    tables(tmp_path)
    path, _ = init(str(tmp_path / "events.csv"), str(tmp_path / "items.csv"), out=tmp_path / "c.toml")
    path.write_text(path.read_text().replace("# heads", "heads"))
    config = Config.read(path)
    assert dict(config.training.objective(config.model).heads) == {"ranking": 1.0, "rating": 0.2}


def test_nothing_is_written_over_or_half(tmp_path: Path) -> None:
    tables(tmp_path)
    (tmp_path / "c.toml").write_text("mine")
    with pytest.raises(ConfigError, match="--replace"):
        init(str(tmp_path / "events.csv"), out=tmp_path / "c.toml")
    with pytest.raises(ConfigError, match="folder"):
        init(str(tmp_path / "events.csv"), out=tmp_path)
    with pytest.raises(DataError, match="no file matches"):
        init(str(tmp_path / "ghost.csv"), out=tmp_path / "new.toml")
    assert (tmp_path / "c.toml").read_text() == "mine"
    init(str(tmp_path / "events.csv"), out=tmp_path / "c.toml", replace=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.toml", "events.csv", "items.csv"]


def test_text_that_parquet_keeps_as_codes_or_bytes_begins_as_text_does(tmp_path: Path) -> None:
    tables(tmp_path)
    plain = read_files("events.csv", tmp_path).frame
    kept = plain.cast({"user": pl.Binary, "item": pl.Categorical, "stars": pl.Categorical, 'odd "name"\\': pl.Enum(["a", "b"])})
    kept = kept.with_columns(photo=pl.Series([bytes([255, n % 256, n // 256]) for n in range(300)]))
    plain.write_parquet(tmp_path / "plain.parquet")
    kept.write_parquet(tmp_path / "kept.parquet")
    _, begun = init(str(tmp_path / "kept.parquet"), str(tmp_path / "items.csv"), out=tmp_path / "c.toml")
    _, as_text = init(str(tmp_path / "plain.parquet"), str(tmp_path / "items.csv"), out=tmp_path / "t.toml")
    assert begun.columns == as_text.columns and begun.columns["value"] == "stars"
    assert len(Config.read(tmp_path / "c.toml").dataset()) == 300


def test_names_that_need_quoting_stay_as_they_are() -> None:
    found = Guess(
        columns={"user": 'a"b\\c', "item": {"events": "é#", "items": "x\ty"}, "context": ["line\nbreak", "\x7f"]}, types={"a b": "category"}
    )
    said = tomllib.loads(as_toml(found, {"events": "C:\\data\\e.csv"}))
    assert said["data"]["columns"] == found.columns and said["data"]["types"] == found.types and said["data"]["events"] == "C:\\data\\e.csv"


def test_the_prompt_that_is_proposed_reads_the_columns_there_are(tmp_path: Path) -> None:
    found = Guess(columns={"user": "user", "item": "sku", "text": ["Produktname", 'a "b"']})
    (line,) = [line for line in as_toml(found, {}).splitlines() if "prompt" in line]
    (prompt,) = tomllib.loads(line.removeprefix("# ")).values()
    assert prompts(pl.DataFrame({"Produktname": ["Stuhl"], 'a "b"': ["rot"]}), prompt, [], {}) == ["Stuhl. rot."]
