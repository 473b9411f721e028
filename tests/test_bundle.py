from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import germane
from germane.encoders import HashedText
from germane.errors import RunError
from germane.models import ContextTransformer
from germane.policies import EpsilonGreedy
from germane.recommender import Recommender
from germane.testing.model_contract import small_shop
from germane.training import TrainingOptions
from germane.types import Query


@pytest.fixture(scope="module")
def trained() -> Recommender:
    from germane.jobs.train import train

    model = ContextTransformer(width=16, blocks=1, length=10, text_width=8)
    return train(Recommender(model, text=HashedText(width=32), policy=EpsilonGreedy(epsilon=0.2)), small_shop(), training=TrainingOptions(epochs=2))


@pytest.fixture
def run(trained: Recommender, tmp_path: Path) -> Path:
    return germane.save(trained, tmp_path / "run")


def test_a_saved_run_answers_the_same(trained: Recommender, run: Path) -> None:
    loaded = germane.load(run)
    for query in (Query(user="u1"), Query(user="u2", context={"weather": "rain"}, words="umbrella"), Query(history=("i1",))):
        ours, theirs = (r.recommend(query, n=8, rng=np.random.default_rng(5)) for r in (trained, loaded))
        assert [i.item for i in ours.items] == [i.item for i in theirs.items]
        assert [i.propensity for i in ours.items] == [i.propensity for i in theirs.items]
        np.testing.assert_allclose([i.score for i in ours.items], [i.score for i in theirs.items], atol=1e-5)
    assert loaded.histories.seen("u1") == trained.histories.seen("u1")


def test_added_items_survive(trained: Recommender, tmp_path: Path) -> None:
    loaded = germane.load(germane.save(trained, tmp_path / "one"))
    loaded.add_items(pl.DataFrame({"item": ["new"], "title": ["umbrella"]}))
    again = germane.load(germane.save(loaded, tmp_path / "two"))
    assert [i.item for i in again.recommend(Query(candidates=("new",))).items] == ["new"]


def test_every_file_is_needed_and_checked(run: Path) -> None:
    for path in sorted(run.iterdir()):
        whole = path.read_bytes()
        path.unlink()
        with pytest.raises(RunError, match=path.name):
            germane.load(run)
        path.write_bytes(whole)
        if path.name not in ("about.json", "metrics.json", "per_user.parquet"):
            flipped = bytearray(whole)
            flipped[len(flipped) // 2] ^= 1
            path.write_bytes(bytes(flipped))
            with pytest.raises(RunError, match=path.name):
                germane.load(run)
            path.write_bytes(whole[: len(whole) // 2])
            with pytest.raises(RunError, match=path.name):
                germane.load(run)
            path.write_bytes(whole)
    germane.load(run)


def test_a_newer_format_is_refused(run: Path) -> None:
    about = json.loads((run / "about.json").read_text())
    (run / "about.json").write_text(json.dumps(about | {"format": 99}))
    with pytest.raises(RunError, match="format 99"):
        germane.load(run)


def test_a_pickle_is_refused(run: Path) -> None:
    (run / "model.safetensors").write_bytes(b"\x80\x04K\x01.")
    with pytest.raises(RunError, match="pickle"):
        germane.load(run)


def test_an_existing_run_is_not_overwritten(trained: Recommender, run: Path) -> None:
    with pytest.raises(RunError, match="exists"):
        germane.save(trained, run)


def test_a_full_disk_leaves_the_old_run(trained: Recommender, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (run / "about.json").read_bytes()

    def full(*given: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("germane.bundle.save_file", full)
    with pytest.raises(RunError, match="No space left"):
        germane.save(trained, run, replace=True)
    assert (run / "about.json").read_bytes() == before
    assert [p.name for p in run.parent.iterdir()] == [run.name]


def test_no_such_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not a run folder"):
        germane.load(tmp_path / "nothing")
