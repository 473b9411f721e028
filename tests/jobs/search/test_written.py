from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from germane.jobs.search import search, written
from germane.jobs.search.study import Attempt

Writes = Callable[..., Path]


def attempt(number: int, state: str, figure: float | None) -> Attempt:
    return Attempt(number, state, number == 0, {}, figure, 1, 1.0)  # type: ignore[arg-type]


def test_the_best_that_was_trained_to_its_end_wins() -> None:
    tried = [attempt(0, "done", 0.2), attempt(1, "pruned", 0.9), attempt(2, "stopped", 0.3), attempt(3, "failed", None), attempt(4, "done", 0.3)]
    assert written.winner(tried, smaller_is_better=False) == tried[2]  # of equals the first
    assert written.winner(tried, smaller_is_better=True) == tried[0]
    assert written.winner(tried[3:4], smaller_is_better=True) is None


def test_without_matplotlib_a_line_says_what_to_install(counted: Writes, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(written, "find_spec", lambda name: None)
    found = search(counted(), shop / "out", trials=5)
    assert found.notes == ("the picture of importances is drawn by matplotlib: pip install 'germane[plots]'; search.json has the figures.",)
    assert not (shop / "out" / "importances.svg").exists() and sum(found.importances.values()) == pytest.approx(1.0)


def test_epochs_stay_where_the_learning_rate_hangs_on_them(learned: Writes, shop: Path) -> None:
    search(learned('only = []\nspace = {"model.dropout" = [0.1, 0.3]}'), shop / "out", trials=1, sets=["training.schedule=cosine"])
    text = (shop / "out" / "best.toml").read_text()
    assert tomllib.loads(text)["training"]["epochs"] == 3 and "epochs stays" in text


def test_paths_hold_wherever_the_folder_lies(counted: Writes, shop: Path) -> None:
    path = counted()
    path.write_text(path.read_text().replace('items = "items.csv"', f'items = "{shop}/items.csv"'))
    search(path, shop / "a" / "b", trials=1)
    said = tomllib.loads((shop / "a" / "b" / "best.toml").read_text())["data"]
    assert said["events"] == "../../events.csv" and said["items"] == f"{shop}/items.csv"
