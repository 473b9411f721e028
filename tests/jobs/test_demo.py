from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from germane import Query, load
from germane.bundle import read_json
from germane.config import Config
from germane.data import Dataset
from germane.data.sources import MovieLens100K
from germane.errors import ConfigError, RunError
from germane.jobs import demo as job
from germane.jobs.run import evaluate_run, train_run
from germane.testing.model_contract import small_shop

HASHED = {"use": "HashedText", "width": 32}
SHORT: Mapping[str, Any] = {"PopularLately": {"days": 3.0}, "ItemNeighbours": {"shrink": 1.0}, "ContextTransformer": {}, "training": {"epochs": 1}}


def shelves(dataset: Dataset) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """The small shop in the columns of MovieLens."""
    users, items, events = dataset.users["id"], dataset.items["id"], dataset.events
    seen = pl.DataFrame(
        {"user_id": users.gather(events["user"]), "item_id": items.gather(events["item"]), "rating": [3] * len(events), "timestamp": events["time"]}
    )
    shelf = pl.DataFrame(
        {"item_id": items, "movie_title": dataset.items["title"], "release_year": [1990] * len(items), "class": ["Drama|War"] * len(items)}
    )
    people = pl.DataFrame({"user_id": users, "age": [30] * len(users), "gender": ["F"] * len(users), "occupation": ["other"] * len(users)})
    return seen, shelf, people


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MovieLens100K, "read", lambda self, path: shelves(small_shop()))
    monkeypatch.setattr(job, "CHOSEN", {"by-time": SHORT, "leave-last-out": SHORT})
    monkeypatch.setattr(job, "WORLD", {"users": 40, "items": 30, "events": 1200, "words": 0.3})
    monkeypatch.setattr(job, "WORLD_EPOCHS", 1)
    monkeypatch.setattr(job, "KEPT_OUT_EPOCHS", 1)


@pytest.mark.usefixtures("small")
def test_every_run_is_whole_and_can_be_judged_again(tmp_path: Path) -> None:
    target, said = tmp_path / "demo", []
    rows = job.demo(target, text=HASHED, quiet=True, say=said.append)
    variants = {"as trained", "without context", "context shuffled", "context missing", "typos in words", "films kept out"}
    assert {row["variant"] for row in rows} == variants
    names = {row["name"] for row in rows}
    assert names == {"Popular", "PopularLately", "ItemNeighbours", "ContextTransformer"}
    assert "Best possible with context" in said[-2]
    world = {row["variant"]: row["metrics"]["ndcg@10"]["value"] for row in rows[-8:] if row["name"] == "ContextTransformer"}
    missing, mistyped = (f"{world[variant] / world['as trained']:.0%}" for variant in ("context missing", "typos in words"))
    assert said[-1] == (
        f"Of its NDCG@10 the model keeps {missing} with 10% of context values missing"
        f" and {mistyped} with a typing error in each longer word that is typed."
    )
    held = read_json(target, "metrics.json")["rows"]
    assert {row["protocol"] for row in held} == {"by-time", "leave-last-out"} and "films kept out" in {row["variant"] for row in held}
    for run in (target, target / "leave-last-out", target / "world"):
        before = next(r for r in read_json(run, "metrics.json")["rows"] if r["name"] == "ContextTransformer" and r["variant"] == "as trained")
        again = evaluate_run(run).rows[0]
        assert again["metrics"] == before["metrics"] and set(again["p_against"]) == set(before["p_against"])
        assert len(load(run).recommend(Query(words="something funny")).items) == 10
    job.demo(target, text=HASHED, quiet=True, say=said.append)  # an earlier demo is replaced


@pytest.mark.usefixtures("small")
def test_the_table_shows_each_rival_and_its_p(tmp_path: Path) -> None:
    rows = job.demo(tmp_path / "demo", text=HASHED, quiet=True, say=lambda text: None)
    lines = job.table(rows).splitlines()
    assert sum(" all " in line for line in lines) == sum(row["segment"] == "all" for row in rows)
    others = [line for line in lines[1:] if " all " not in line]
    assert others and all("ContextTransformer" in line and ("as trained" in line or "films kept out" in line) for line in others)
    own = next(row for row in rows if row["p_against"])
    rival = next(line for line in lines if "PopularLately" in line)
    assert rival.endswith(f"{own['p_against']['PopularLately']:.4f}")


@pytest.mark.usefixtures("small")
def test_all_its_configs_can_be_changed(tmp_path: Path) -> None:
    job.demo(tmp_path / "demo", text=HASHED, sets=["model.width=8", "policy.use=PlackettLuce"], quiet=True, say=lambda text: None)
    for run in (tmp_path / "demo", tmp_path / "demo" / "leave-last-out", tmp_path / "demo" / "world"):
        assert load(run).model.settings()["width"] == 8 and repr(load(run).policy) == "PlackettLuce()"
    with pytest.raises(ConfigError, match="what can be changed is seed"):
        job.demo(tmp_path / "other", sets=["data.events=mine.csv"])


@pytest.mark.usefixtures("small")
def test_only_an_earlier_demo_is_replaced(tmp_path: Path) -> None:
    """Also one that was interrupted after its first run; no other run, and no other folder."""
    (tmp_path / "mine").mkdir()
    sections = {**job.films("by-time"), "text": HASHED}
    runs = {
        name: train_run(Config.of({**sections, **more}, tmp_path), tmp_path / name)[0] for name, more in (("begun", {}), ("shop", {"evaluation": {}}))
    }
    for folder in (tmp_path / "mine", runs["shop"]):
        before = sorted(path.name for path in folder.iterdir())
        with pytest.raises(RunError, match="holds no demo, which is all that a demo replaces"):
            job.demo(folder, text=HASHED)
        assert sorted(path.name for path in folder.iterdir()) == before
    job.demo(runs["begun"], text=HASHED, quiet=True, say=lambda text: None)
    assert (runs["begun"] / "world").is_dir()
