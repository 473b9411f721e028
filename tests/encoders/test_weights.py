from __future__ import annotations

import dataclasses
import hashlib
import sys
from pathlib import Path

import pytest
import torch

from germane import encoders
from germane.encoders import PretrainedText, hub, weights
from germane.encoders.weights import KnownWeights, get_weights, known_weights, list_weights, tensors_hash, weights_hash
from germane.errors import ConfigError, FetchError


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GERMANE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def tiny(tiny_bert: Path, monkeypatch: pytest.MonkeyPatch) -> KnownWeights:
    """A known model whose files are the tiny one's."""
    entry = dataclasses.replace(
        list_weights()[0],
        name="tiny",
        package="tiny-bert-files",
        folder="tiny_bert_files/model/",
        sha256=hashlib.sha256((tiny_bert / "model.safetensors").read_bytes()).hexdigest(),
        width=16,
    )
    monkeypatch.setattr(weights, "_KNOWN", (*list_weights(), entry))
    return entry


def test_every_entry_is_whole() -> None:
    for entry in list_weights():
        assert len(entry.sha256) == len(entry.package_sha256) == 64 and entry.folder.endswith("/")
        assert entry.width and entry.parameters and entry.licence and entry.language and entry.ms_per_1000 and entry.memory_mb
        assert issubclass(getattr(encoders, entry.use), encoders.Encoder)
        assert known_weights(entry.name) is entry
        assert str(entry).startswith(entry.name) and entry.licence in str(entry)
    assert known_weights("nothing") is None


def test_the_list_says_what_is_here(tiny: KnownWeights, tmp_path: Path) -> None:
    assert not tiny.here and "on this machine" not in str(tiny)
    (tmp_path / "cache" / "weights" / "tiny").mkdir(parents=True)
    assert tiny.here and str(tiny).endswith("; on this machine")
    for said in ("PretrainedText", "encoder", "English", "22.7 M parameters", "width 16", "Apache-2.0", " s on two cores", "MB of memory"):
        assert said in str(tiny)


@pytest.mark.parametrize("failure", [ConfigError("No such model."), FetchError("No connection.")])
def test_an_unknown_name_is_told_the_nearest_and_what_needs_no_hub(monkeypatch: pytest.MonkeyPatch, failure: Exception) -> None:
    def fail(name: str, **said: bool) -> Path:
        raise failure

    monkeypatch.setattr(hub, "from_hub", fail)
    with pytest.raises(type(failure), match=rf"{failure} Did you mean all-MiniLM-L6-v2\? Without a hub there are all-MiniLM-L6-v2, SmolLM2-135M"):
        get_weights("sentence-transformers/all-MiniLM-L12-v2")
    with pytest.raises(type(failure), match=rf"{failure} Without a hub there are"):
        PretrainedText(model="owner/other").encode(["rain"])


def test_a_known_name_is_taken_out_of_its_package(tiny: KnownWeights, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[object, ...]] = []

    def fetch(*given: object) -> Path:
        calls.append(given)
        return tiny_bert

    monkeypatch.setattr("germane.encoders.weights.fetch_package", fetch)
    assert get_weights("tiny") == tiny_bert
    assert calls == [("tiny-bert-files", "0.1.0", tiny.package_sha256, "tiny_bert_files/model/", "weights/tiny", "tiny: Apache-2.0")]
    assert PretrainedText(model="tiny").encode(["rain"]).shape == (1, 16)


def test_an_installed_package_needs_no_fetching(tiny: KnownWeights, tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "tiny_bert_files"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('looked at, never imported')")
    (package / "model").symlink_to(tiny_bert)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("germane.encoders.weights.fetch_package", lambda *given: pytest.fail("nothing to fetch"))
    assert get_weights("tiny") == package / "model"
    assert "tiny_bert_files" not in sys.modules


def test_damaged_weights_are_refused(tiny: KnownWeights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("germane.encoders.weights.fetch_package", lambda *given: tmp_path)
    with pytest.raises(FetchError, match=r"damaged.*germane weights get tiny"):
        get_weights("tiny")
    (tmp_path / "model.safetensors").write_bytes(b"something else")
    with pytest.raises(FetchError, match=r"damaged"):
        PretrainedText(model="tiny").encode(["rain"])


def test_offline_the_command_is_named(tiny: KnownWeights, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(*given: object) -> Path:
        raise FetchError("No connection.")

    monkeypatch.setattr("germane.encoders.weights.fetch_package", fetch)
    with pytest.raises(FetchError, match=r"No connection. With a connection, run: germane weights get tiny"):
        get_weights("tiny")


def test_the_hash_follows_the_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"one")
    assert weights_hash(file) == hashlib.sha256(b"one").hexdigest()
    file.write_bytes(b"three")
    assert weights_hash(file) == hashlib.sha256(b"three").hexdigest()


def test_a_single_number_has_a_hash_too() -> None:
    one, other = (tensors_hash({"scale": torch.tensor(number)}) for number in (1.0, 2.0))
    assert one != other
