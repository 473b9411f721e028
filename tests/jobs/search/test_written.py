from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from germane.config import Config
from germane.jobs.run import train_run
from germane.jobs.search import search, written
from germane.jobs.search.study import Attempt
from germane.paths import moved

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


@pytest.mark.parametrize(
    ("sets", "hangs"),
    [
        ((), None),
        (("training.swa=0.5",), "swa"),
        (("training.warmup=0.5",), "warmup"),
        (("text.model=lm", "text.tuning=full", "text.fresh=8"), "when the language model begins to learn"),
    ],
)
def test_training_the_best_gives_its_figure_again(
    sets: tuple[str, ...], hangs: str | None, learned: Writes, shop: Path, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although the best epoch is not the last, so that shares of epochs would be others."""
    monkeypatch.setenv("GERMANE_CACHE", str(shop / "cache"))
    shutil.copytree(tiny_bert, shop / "lm")
    config = learned('only = []\nspace = {"training.learning_rate" = [0.05]}')
    if "text.model=lm" in sets:
        config.write_text(config.read_text().replace('use = "HashedText"\nwidth = 32', 'use = "PretrainedText"'))
    found = search(config, shop / "out", trials=1, sets=["training.epochs=8", "training.patience=3", "training.learning_rate=0.05", *sets])
    assert found.best.epochs is not None and 1 < found.best.epochs < 8
    run, _ = train_run(shop / "out" / "best.toml", shop / "run")
    curve = [epoch["validation"] for epoch in json.loads((run / "about.json").read_text())["curve"]]
    assert max(curve) == found.best.validation and curve.index(max(curve)) + 1 == found.best.epochs
    said = tomllib.loads((shop / "out" / "best.toml").read_text())
    assert said["training"]["epochs"] == (found.best.epochs if hangs is None else 8)
    assert hangs is None or hangs in (shop / "out" / "best.toml").read_text()


def test_epochs_stay_for_the_members_of_a_blend() -> None:
    sections = {"data": {"events": "e.csv"}, "model": {"use": "Blend", "members": [{"use": "ContextTransformer"}, {"use": "BPR"}]}}
    assert written.hanging_on_epochs(Config.of(sections, Path())) == ["each member of a blend"]


def test_all_paths_are_seen_from_the_folder(shop: Path, tiny_bert: Path) -> None:
    shutil.copytree(tiny_bert, shop / "lm")
    sections = {
        "data": {"sql": "sqlite:///deep/shop.db", "events_query": "SELECT 1"},
        "text": {"model": "lm"},
        "tracking": {"folder": "followed"},
        "pretraining": {"corpus": ["texts/*.txt", str(shop / "more.txt")]},
    }
    said = moved(sections, shop, shop / "out")
    assert said["data"]["sql"] == "sqlite:///../deep/shop.db" and said["text"] == {"model": "../lm"}
    assert said["tracking"] == {"folder": "../followed"} and said["pretraining"] == {"corpus": ["../texts/*.txt", str(shop / "more.txt")]}
    assert moved(said, shop / "out", None) == moved(sections, shop, None)
    assert moved({"text": {"model": "owner/name"}}, shop, shop / "out") == {"text": {"model": "owner/name"}}
    for address in ("sqlite:////abs/shop.db", "sqlite://", "sqlite:///:memory:", "postgresql://me@host/shop", "env:DATABASE"):
        assert moved({"data": {"sql": address}}, shop, shop / "out")["data"]["sql"] == address


def test_paths_hold_wherever_the_folder_lies(counted: Writes, shop: Path) -> None:
    path = counted()
    path.write_text(path.read_text().replace('items = "items.csv"', f'items = "{shop}/items.csv"'))
    search(path, shop / "a" / "b", trials=1)
    said = tomllib.loads((shop / "a" / "b" / "best.toml").read_text())["data"]
    assert said["events"] == "../../events.csv" and said["items"] == f"{shop}/items.csv"
