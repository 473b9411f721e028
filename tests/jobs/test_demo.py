from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from germane import load
from germane.bundle import read_json
from germane.data import Dataset
from germane.data.sources import MovieLens100K
from germane.encoders import HashedText
from germane.errors import RunError
from germane.jobs import demo as job
from germane.jobs.run import evaluate_run
from germane.testing.model_contract import small_shop


def films(dataset: Dataset) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
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
    monkeypatch.setattr(MovieLens100K, "read", lambda self, path: films(small_shop()))
    short = {"epochs": 1}
    monkeypatch.setattr(job, "SETTINGS", {"by-time": {"days": 3.0, "training": short}, "leave-last-out": {"days": 3.0, "training": short}})


@pytest.mark.usefixtures("small")
def test_both_runs_are_whole_and_can_be_judged_again(tmp_path: Path) -> None:
    said: list[str] = []
    rows = job.demo(tmp_path / "demo", text=HashedText(width=32), quiet=True, say=said.append)
    assert {row["protocol"] for row in rows} == {"by-time", "leave-last-out"}
    assert {"as trained", "without context", "context shuffled", "films kept out"} == {row["variant"] for row in rows}
    for run, protocol in ((tmp_path / "demo", "by-time"), (tmp_path / "demo" / "leave-last-out", "leave-last-out")):
        about = read_json(run, "about.json")
        assert about["data"]["events"] == 480 and about["epochs"] == 1 and about["seconds"]["train"] > 0 and about["peak_mb"] > 0
        assert load(run).histories.users()
        before = next(r for r in rows if r["protocol"] == protocol and r["name"] == "ContextTransformer" and r["variant"] == "as trained")
        again = evaluate_run(run).rows[0]
        assert again["protocol"] == protocol and again["metrics"]["ndcg@10"]["value"] == pytest.approx(
            before["metrics"]["ndcg@10"]["value"], abs=1e-6
        )
    job.demo(tmp_path / "demo", text=HashedText(width=32), quiet=True, say=said.append)  # an earlier demo is replaced


def test_a_folder_that_is_no_run_is_kept(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(RunError, match="is no run"):
        job.demo(tmp_path / "mine")
