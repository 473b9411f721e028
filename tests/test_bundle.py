from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import save as save_tensors

import germane
from germane import bundle
from germane.encoders import HashedText
from germane.errors import RunError
from germane.models import ContextTransformer, Popular
from germane.policies import EpsilonGreedy
from germane.recommender import Recommender
from germane.seal import _is_pickle, as_json, metrics_file, rewrite
from germane.testing.model_contract import small_shop
from germane.training import TrainingOptions
from germane.types import Event, Query


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


def test_a_folder_with_brackets_in_its_name_is_a_folder(trained: Recommender, tmp_path: Path) -> None:
    loaded = germane.load(germane.save(trained, tmp_path / "mine [new]" / "run[1]"))
    assert loaded.histories.seen("u1") == trained.histories.seen("u1")


def test_added_items_survive(trained: Recommender, tmp_path: Path) -> None:
    loaded = germane.load(germane.save(trained, tmp_path / "one"))
    loaded.add_items(pl.DataFrame({"item": ["new"], "title": ["umbrella"]}))
    again = germane.load(germane.save(loaded, tmp_path / "two"))
    assert [i.item for i in again.recommend(Query(candidates=("new",))).items] == ["new"]


@pytest.mark.skipif(os.name != "posix", reason="needs modes")
def test_other_accounts_may_read_a_run_where_the_mask_lets_them(trained: Recommender, tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        run = germane.save(trained, tmp_path / "run")
    finally:
        os.umask(before)
    assert run.stat().st_mode & 0o777 == 0o755 and {path.stat().st_mode & 0o777 for path in run.iterdir()} == {0o644}


def test_a_run_that_is_only_to_be_read_is_not_judged_again(run: Path) -> None:
    run.chmod(0o555)
    with pytest.raises(RunError, match="is only to be read"):
        rewrite(run, {"card.md": b"other"})
    with pytest.raises(RunError, match="is only to be read"):
        germane.save(germane.load(run), run, replace=True)
    assert [path.name for path in run.parent.iterdir()] == ["run"]
    run.chmod(0o755)


def test_a_run_that_is_replaced_while_it_is_read_is_read_again(
    trained: Recommender, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = germane.load(run)
    other.version = "the other"
    germane.save(other, tmp_path / "other")
    read, turns = bundle._read, iter([True, False])

    def exchanged(folder: Path) -> Recommender:
        """The first file is of one run, the others are of the other; which stands there when all is read."""
        if next(turns, True):
            os.rename(run, tmp_path / "aside")
            os.rename(tmp_path / "other", run)
            os.rename(tmp_path / "aside", tmp_path / "other")
        return read(folder)

    monkeypatch.setattr(bundle, "_read", exchanged)
    assert germane.load(run).version == "the other"
    turns = iter([True, True])
    with pytest.raises(RunError, match="was replaced while it was read, and once more"):
        germane.load(run)


def test_numbers_that_json_has_not_are_refused_by_their_place(trained: Recommender, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"features\[0\]\.scale = inf is no finite number, so it cannot be saved: .* leave its column out"):
        as_json({"features": [{"mean": 1.0, "scale": float("inf")}]})
    first = germane.save(trained, tmp_path / "first")
    about = (first / "about.json").read_text()
    (first / "about.json").write_text(about.replace('"peak_mb": ', '"peak_mb": NaN, "was": '))  # as older versions wrote it
    rewrite(first, {"card.md": b"anew"})
    told = germane.load(first)
    assert told.facts["peak_mb"] is None
    told.facts["peak_mb"] = float("nan")  # what is not known of the training is null
    assert json.loads((germane.save(told, tmp_path / "run") / "about.json").read_text())["peak_mb"] is None


def test_every_file_is_needed_and_checked(run: Path) -> None:
    for path in sorted(run.iterdir()):
        whole = path.read_bytes()
        path.unlink()
        with pytest.raises(RunError, match=path.name):
            germane.load(run)
        path.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(RunError, match=path.name):
            germane.load(run)
        if path.name != "about.json":  # which holds the hashes: a signature covers it
            flipped = bytearray(whole)
            flipped[len(flipped) // 2] ^= 1
            path.write_bytes(bytes(flipped))
            with pytest.raises(RunError, match=path.name):
                germane.load(run)
        path.write_bytes(whole)
    germane.load(run)


def test_what_is_known_of_the_training_is_kept(trained: Recommender, run: Path, tmp_path: Path) -> None:
    about = json.loads((run / "about.json").read_text())
    assert about["data"]["events"] == 480 and about["epochs"] in (1, 2) and len(about["curve"]) == 2 and about["device"] == "cpu"
    assert about["seconds"]["total"] >= about["seconds"]["train"] > 0 and about["cpu_seconds"] > 0 and about["peak_mb"] > 0
    assert about["seconds"]["evaluate"] is None is about["notes"] and about["data"]["folder"] is None
    again = germane.save(germane.load(run), tmp_path / "again")
    told = json.loads((again / "about.json").read_text())
    assert list(told) == list(about) and {name for name in told if told[name] != about[name]} <= {"created", "files", "place"}


def test_a_file_that_is_not_listed_is_not_read(run: Path) -> None:
    about = json.loads((run / "about.json").read_text())
    del about["files"]["vocabulary.json"]
    (run / "about.json").write_text(json.dumps(about))
    with pytest.raises(RunError, match="does not list the files of a run"):
        germane.load(run)


def test_figures_are_written_anew_with_their_hashes(run: Path) -> None:
    before = json.loads((run / "about.json").read_text())
    (run / "deep").mkdir()
    (run / "deep" / "er").write_text("kept")
    (run / "metrics.json").write_text("garbage")
    with pytest.raises(RunError, match=r"metrics.json is not the file .*: the run is damaged; germane evaluate .*run writes its figures anew"):
        germane.load(run)
    germane.load(run, figures=False)
    same = (run / "model.safetensors").stat().st_ino
    rewrite(run, {"metrics.json": metrics_file([]), "card.md": b"# A card"})
    germane.load(run)
    about = json.loads((run / "about.json").read_text())
    assert about["files"].pop("card.md") and about == before and (run / "deep" / "er").read_text() == "kept"
    assert (run / "model.safetensors").stat().st_ino == same
    assert [path.name for path in run.parent.iterdir()] == [run.name]
    with pytest.raises(RunError, match="could not be written"):
        rewrite(run, {"no such folder/metrics.json": b""})
    assert json.loads((run / "about.json").read_text())["files"].keys() == {*about["files"], "card.md"}


@pytest.mark.parametrize("lacking", ["items.match.factor", "items.match.words"])
def test_weights_of_another_version_are_refused_with_what_to_do(
    trained: Recommender, tmp_path: Path, lacking: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = trained.model.state()
    assert lacking in state
    monkeypatch.setattr(trained.model, "state", lambda: {name: tensor for name, tensor in state.items() if name != lacking}, raising=False)
    run = germane.save(trained, tmp_path / "old")
    with pytest.raises(RunError, match=r"holds other weights than ContextTransformer has in this version .* by `germane train .*config.toml`"):
        germane.load(run)


def test_a_newer_format_is_refused(run: Path) -> None:
    about = json.loads((run / "about.json").read_text())
    (run / "about.json").write_text(json.dumps(about | {"format": 99}))
    with pytest.raises(RunError, match="format 99"):
        germane.load(run)


@pytest.mark.parametrize("name", ["model.safetensors", "metrics.json", "hidden.dat", "deep/er"])
def test_a_pickle_is_refused_whatever_its_name(run: Path, name: str) -> None:
    (run / name).parent.mkdir(exist_ok=True)
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        (run / name).write_bytes(pickle.dumps({"a": [1, 2]}, protocol))
        with pytest.raises(RunError, match=f"{name} looks like a pickle"):
            germane.load(run)
    torch.save({"a": torch.zeros(2)}, run / name)
    with pytest.raises(RunError, match=f"{name} looks like a pickle"):
        germane.load(run)


@pytest.mark.parametrize("length", [640, 896, 1152, 1408])
def test_weights_are_no_pickle_whatever_the_length_of_their_header(tmp_path: Path, length: int) -> None:
    file = tmp_path / "model.safetensors"
    short = len(save_tensors({"a": torch.zeros(2)}, {"said": ""})) - 16  # the length in front, and two numbers
    file.write_bytes(save_tensors({"a": torch.zeros(2)}, {"said": "x" * (length - short)}))
    assert file.read_bytes()[:1] == b"\x80" and not _is_pickle(file)


def test_an_existing_run_is_not_overwritten(trained: Recommender, run: Path) -> None:
    with pytest.raises(RunError, match="exists"):
        germane.save(trained, run)


@pytest.mark.parametrize(("counted", "size"), [(False, 100), (False, 2000), (True, 2000)])  # Python, safetensors and polars are refused
def test_a_full_disk_leaves_the_old_run(
    trained: Recommender, run: Path, full_disk: Callable[[int], AbstractContextManager[None]], counted: bool, size: int
) -> None:
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    one = germane.train(Recommender(Popular()), small_shop()) if counted else trained
    with full_disk(size), pytest.raises(RunError) as told:
        germane.save(one, run, replace=True)
    place = str(run)
    assert str(told.value) == (
        f"{place} could not be written (File too large); what stood at {place} is whole: make room or mend that, or choose another folder."
    )
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before
    assert [p.name for p in run.parent.iterdir()] == [run.name]
    with full_disk(size), pytest.raises(RunError, match="other could not be written"):
        germane.save(one, run.parent / "other")
    assert [p.name for p in run.parent.iterdir()] == [run.name]


def test_no_such_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not a run folder"):
        germane.load(tmp_path / "nothing")


def test_nothing_comes_between_the_files_of_a_run(trained: Recommender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Items that came while it was written were in the model's weights and not in items.parquet, and no run could be loaded."""
    state, free = trained.model.state, []

    def is_free(lock: Any) -> bool:
        taken = lock.acquire(blocking=False)
        if taken:
            lock.release()
        return bool(taken)

    def asked() -> dict[str, torch.Tensor]:
        with ThreadPoolExecutor(1) as other:
            free.extend(other.map(is_free, (trained._growing, trained._lock)))
        return state()

    monkeypatch.setattr(trained.model, "state", asked)
    germane.save(trained, tmp_path / "run")
    assert free == [False, False] and is_free(trained._growing) and is_free(trained._lock)


def test_what_came_from_tables_of_numpy_is_kept(trained: Recommender, tmp_path: Path) -> None:
    loaded = germane.load(germane.save(trained, tmp_path / "one"))
    loaded.record("u1", Event("i1", kind=5, value=np.int64(2), context={"degrees": np.float32(3.5), "weather": np.str_("rain")}))
    loaded.record("u1", Event("i2", value="4", context={"degrees": np.int64(3)}))
    again = germane.load(germane.save(loaded, tmp_path / "two"))
    assert again.histories.of("u1") == loaded.histories.of("u1")
    assert [(event.kind, event.value) for event in again.histories.of("u1")[-2:]] == [("5", 2.0), (None, 4.0)]
    notes = again.recommend(Query(history=[Event("i1", kind=5), Event("i2", kind="buy")], exclude_seen=["zz"]), n=1).notes
    assert [note.code for note in notes] == ["unknown_kind"]


@pytest.mark.parametrize("model", [{"use": "FactorisationMachine", "width": 4}, {"use": "TwoStage", "first": {"use": "EASE"}}])
def test_what_training_knew_goes_on_as_trained_when_it_was_saved(model: dict[str, Any], tmp_path: Path) -> None:
    from germane import models
    from germane.component import build
    from germane.data import Dataset
    from germane.jobs.train import train

    events = [(f"u{user}", f"i{(user + step) % 9}", 60.0 * step, ("comedy", "drama")[(user + step) % 2]) for user in range(20) for step in range(6)]
    frame = pl.DataFrame(events, schema=["user", "item", "time", "genre"], orient="row")
    items = pl.DataFrame({"item": [f"i{n}" for n in range(9)], "genre": ["comedy", "drama", "war"] * 3, "year": [1990.0 + n for n in range(9)]})
    shop = Dataset.from_frames(frame.drop("genre"), items, columns={"time": "time", "side": ["genre", "year"]})
    made = train(Recommender(build(model, models, models.Model, "model")), shop, training=TrainingOptions(epochs=2))
    before = [made.recommend(Query(user=f"u{user}", exclude_seen=False), n=9).items for user in range(3)]
    made.add_items({"item": ["i1"], "genre": ["war"], "year": [1930.0]})
    assert [made.recommend(Query(user=f"u{user}", exclude_seen=False), n=9).items for user in range(3)] == before
    loaded = germane.load(germane.save(made, tmp_path / "one"))
    again = germane.load(germane.save(loaded, tmp_path / "two"))
    for run in (loaded, again):
        assert run.catalogue.items.filter(pl.col("id") == "i1")["genre"].to_list() == ["war"]
        for user, own in enumerate(before):
            found = run.recommend(Query(user=f"u{user}", exclude_seen=False), n=9).items
            assert [(place.item, pytest.approx(place.score, abs=1e-5)) for place in own] == [(place.item, place.score) for place in found]
