"""Files that are brought to a run are read as its config says: separator, decimal mark, times, several values a cell."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from germane.bundle import load
from germane.config import Config
from germane.errors import ConfigError, DataError, QueryError
from germane.jobs.opening import open_run
from germane.jobs.run import train_run
from germane.jobs.score import score_file
from germane.recommender import Recommender
from germane.serving.service import Service
from germane.store import open_store


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("german")
    lines = [f"u{n % 8}|i{n % 5}|{1 + n % 28:02}.0{1 + n // 28}.2026 10:00|{n % 60},5" for n in range(64)]
    (folder / "events.csv").write_text("\n".join(["user|item|time|degrees", *lines]) + "\n")
    (folder / "items.csv").write_text("item|genres|year\n" + "".join(f"i{n}|a;{n}|200{n}\n" for n in range(5)))
    (folder / "shop.toml").write_text(
        """
[data]
events = "events.csv"
items = "items.csv"
timezone = "Europe/Berlin"
format = {separator = "|", decimal = ","}
types = {genres = "categories:;", time = "time:%d.%m.%Y %H:%M"}
[data.columns]
time = "time"
context = ["degrees"]
side = ["genres"]
[model]
width = 8
blocks = 1
[training]
epochs = 1
[evaluation]
variants = []
"""
    )
    return train_run(Config.read(folder / "shop.toml"), folder / "run")[0]


def scored(run: Path, folder: Path, text: str) -> list[float]:
    (folder / "pairs.csv").write_text(text)
    score_file(run, folder / "pairs.csv", folder / "scored.csv")
    return pl.read_csv(folder / "scored.csv")["score"].to_list()


def test_pairs(run: Path, tmp_path: Path) -> None:
    found = scored(run, tmp_path, "user|item|time|degrees\nu1|i1|24.12.2026 18:30|1,5\n")
    asked = pl.DataFrame({"user": ["u1"], "item": ["i1"], "time": ["24.12.2026 18:30"], "degrees": [1.5]})
    recommender: Recommender = load(run)
    assert found == pytest.approx(recommender.score(asked).tolist(), abs=1e-5)
    assert found != pytest.approx(recommender.score(asked.with_columns(time=pl.lit("24.12.2026 03:00"))).tolist(), abs=1e-5)
    assert found != pytest.approx(recommender.score(asked.with_columns(degrees=15.0)).tolist(), abs=1e-5)
    with pytest.raises(DataError, match=r"pairs\.csv, line 3: column 'degrees' holds 'warm' where a number belongs"):
        scored(run, tmp_path, "user|item|degrees\nu1|i1|1,5\nu1|i1|warm\n")
    with pytest.raises(DataError, match=r"pairs\.csv, line 2: column 'time' holds '2026-12-24' where a time belongs"):
        scored(run, tmp_path, "user|item|time\nu1|i1|2026-12-24\n")


def test_new_items(run: Path, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("item|genres|year\nn1|a;3|1999\nn2||1999,5\n")
    held = open_run(run, items=tmp_path / "new.csv").catalogue.items
    assert held.filter(pl.col("id").is_in(["i4", "n1", "n2"])).rows() == [
        ("i4", ["a", "4"], 2004.0),
        ("n1", ["a", "3"], 1999.0),
        ("n2", None, 1999.5),
    ]
    (tmp_path / "bad.csv").write_text("item|year\nn1|1999\nn2|abc\n")
    with pytest.raises(DataError, match=r"bad\.csv, line 3: column 'year' holds 'abc' where a number belongs"):
        open_run(run, items=tmp_path / "bad.csv")


def test_a_known_item_takes_a_number_that_is_not_whole(run: Path) -> None:
    recommender = load(run)
    assert recommender.add_items({"item": ["i1"], "year": [2001.5]}) == 0
    assert recommender.catalogue.items["year"].to_list() == [2000.0, 2001.5, 2002.0, 2003.0, 2004.0]


def test_items_that_are_put_to_the_service(run: Path, tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path / 'shop.db'}") as store:
        service = Service(load(run), store)
        assert service.put_item("n1", {"genres": "a;3", "year": 1999.5})
        assert not service.put_item("n1", {"genres": ["a|b"]})
        assert service.recommender.catalogue.items.filter(id="n1").rows() == [("n1", ["a|b"], 1999.5)]
        service = Service(load(run), store)  # as after a restart
        assert service.recommender.catalogue.items.filter(id="n1").rows() == [("n1", ["a|b"], 1999.5)]
        service.put_item("n2", {"genres": "a;3"})
        assert service.recommender.catalogue.items.filter(id="n2")["genres"].to_list() == [["a", "3"]]
        with pytest.raises(QueryError, match="one text with ; between them"):
            service.put_item("n3", {"genres": 3})


def test_kinds_are_not_asked_of_a_run_whose_events_have_none(run: Path) -> None:
    with pytest.raises(ConfigError, match=r"\['buy'\] names kinds of events, and no column holds them"):
        open_run(run, sets=['evaluation.exclude_seen=["buy"]'])
