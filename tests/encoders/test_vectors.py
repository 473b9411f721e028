from __future__ import annotations

import gc
import logging
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from germane.encoders import Encoder, HashedText, NoText, VectorCache
from germane.encoders import vectors as module
from germane.errors import ConfigError


class Counting(HashedText):
    """Remembers what it was asked for."""

    asked: list[str]

    def encode(self, texts: Sequence[str]) -> Tensor:
        self.asked = [*getattr(self, "asked", []), *texts]
        return super().encode(texts)


class Unwilling(HashedText):
    def encode(self, texts: Sequence[str]) -> Tensor:
        raise AssertionError("everything is in the cache")


TEXTS = ["rain", "sun", "", "rain", "snow"]


def shards(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.safetensors"))


def test_the_same_vectors_as_the_encoder(tmp_path: Path) -> None:
    encoder = Counting(width=16)
    torch.testing.assert_close(VectorCache(tmp_path).cached(encoder)(TEXTS), HashedText(width=16).encode(TEXTS))
    assert sorted(encoder.asked) == ["rain", "snow", "sun"]


def test_a_second_start_encodes_nothing(tmp_path: Path) -> None:
    first = VectorCache(tmp_path).cached(HashedText(width=16))(TEXTS)
    again = VectorCache(tmp_path).cached(Unwilling(width=16))
    assert torch.equal(again(TEXTS), first)
    assert again.encoded == 0


def test_only_what_is_missing(tmp_path: Path) -> None:
    VectorCache(tmp_path).cached(HashedText(width=16))(TEXTS)
    encoder = Counting(width=16)
    encode = VectorCache(tmp_path).cached(encoder)
    encode([*TEXTS, "fog"])
    encode(["fog", "sun"])
    assert encoder.asked == ["fog"]
    assert len(shards(tmp_path)) == 2


class Broken(HashedText):
    def encode(self, texts: Sequence[str]) -> Tensor:
        vectors = super().encode(texts)
        vectors[[text == "snow" for text in texts], 1] = torch.inf
        return vectors


def test_what_is_no_number_is_refused_and_not_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    encode = VectorCache(tmp_path).cached(Broken(width=16))
    with pytest.raises(ConfigError, match="gives 'snow' a vector that is not of finite numbers: its weights are broken"):
        encode(TEXTS)
    assert not shards(tmp_path)
    encode(["rain"])
    encode._write([b"0" * 32], torch.full((1, 16), torch.nan))  # as an earlier version would
    again = VectorCache(tmp_path).cached(HashedText(width=16))
    assert again.missing(TEXTS) == ["sun", "snow"] and "it holds what is no number" in caplog.text
    assert len(shards(tmp_path)) == 1


def test_other_options_other_vectors(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path)
    assert not torch.equal(cache.cached(HashedText(width=16))(TEXTS), cache.cached(HashedText(width=16, seed=1))(TEXTS))
    assert cache.cached(HashedText(width=8))(TEXTS).shape == (5, 8)


@pytest.mark.parametrize("harm", ["flip", "cut", "empty", "pickle"])
def test_a_damaged_file_is_encoded_again(tmp_path: Path, harm: str, caplog: pytest.LogCaptureFixture) -> None:
    first = VectorCache(tmp_path).cached(HashedText(width=16))(TEXTS)
    (path,) = shards(tmp_path)
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes({"flip": bytes(content), "cut": bytes(content[:50]), "empty": b"", "pickle": b"\x80\x04N."}[harm])
    with caplog.at_level(logging.WARNING):
        encode = VectorCache(tmp_path).cached(HashedText(width=16))
        assert torch.equal(encode(TEXTS), first)
    assert encode.encoded == 3 and "damaged" in caplog.text
    assert torch.equal(VectorCache(tmp_path).cached(Unwilling(width=16))(TEXTS), first)


def test_a_folder_that_cannot_be_written_only_warns(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("no folder")
    with caplog.at_level(logging.WARNING):
        vectors = VectorCache(tmp_path / "file").cached(HashedText(width=16))(TEXTS)
    torch.testing.assert_close(vectors, HashedText(width=16).encode(TEXTS))
    assert "could not be kept" in caplog.text


def test_no_cache_folder_at_all_only_warns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("GERMANE_CACHE", str(tmp_path / "file"))
    encode = VectorCache().cached(HashedText(width=16))
    with caplog.at_level(logging.WARNING):
        torch.testing.assert_close(encode(TEXTS), HashedText(width=16).encode(TEXTS))
    assert "GERMANE_CACHE" in caplog.text and encode.folder is None


def test_the_default_is_the_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GERMANE_CACHE", str(tmp_path))
    encode = VectorCache().cached(HashedText(width=16))
    assert not list(tmp_path.iterdir())  # nothing is asked or made before the first text
    encode(TEXTS)
    assert len(shards(tmp_path / "vectors")) == 1


def test_what_was_encoded_before_an_interruption_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK", 10)

    class Interrupted(HashedText):
        def encode(self, texts: Sequence[str]) -> Tensor:
            if "text 15" in texts:
                raise KeyboardInterrupt
            return super().encode(texts)

    texts = [f"text {i}" for i in range(30)]
    with pytest.raises(KeyboardInterrupt):
        VectorCache(tmp_path).cached(Interrupted(width=16))(texts)
    seen: list[tuple[int, int]] = []
    again = VectorCache(tmp_path).cached(HashedText(width=16))
    again(texts, lambda done, of: seen.append((done, of)))
    assert again.encoded == 20 and seen == [(10, 20), (20, 20)]
    assert not list(tmp_path.rglob("*.partial"))


def test_single_items_do_not_leave_a_thousand_files(tmp_path: Path) -> None:
    encode = VectorCache(tmp_path).cached(HashedText(width=16))
    texts = [f"item {i}" for i in range(100)]
    one_by_one = torch.cat([encode([text]) for text in texts])
    assert len(shards(tmp_path)) < 40
    assert torch.equal(VectorCache(tmp_path).cached(Unwilling(width=16))(texts), one_by_one)


def test_a_new_text_reads_no_large_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SMALL", 10)
    monkeypatch.setattr(module, "_MANY", 3)
    encode = VectorCache(tmp_path).cached(HashedText(width=16))
    for catalogue in range(4):
        encode([f"catalogue {catalogue} item {item}" for item in range(50)])
    large = set(shards(tmp_path))
    read: list[Path] = []
    usual = module.CachedTexts._shard
    monkeypatch.setattr(module.CachedTexts, "_shard", lambda self, path: read.append(path) or usual(self, path))
    one_by_one = torch.cat([encode([f"item {item}"]) for item in range(14)])
    assert large <= set(shards(tmp_path)) and len(shards(tmp_path)) < 9  # the small ones became larger ones
    assert read and not large & set(read)
    assert torch.equal(VectorCache(tmp_path).cached(Unwilling(width=16))([f"item {item}" for item in range(14)]), one_by_one)


def test_vectors_that_are_not_asked_for_stay_on_disk(tmp_path: Path) -> None:
    texts = [f"text {place}" for place in range(1000)]
    last = VectorCache(tmp_path).cached(HashedText(width=24))(texts)[-1].clone()
    again = VectorCache(tmp_path).cached(Unwilling(width=24))
    assert torch.equal(again(["text 999"])[0], last) and not again.missing(texts)
    gc.collect()
    assert not [held for held in gc.get_objects() if type(held) is Tensor and held.shape == (1000, 24)]


def test_what_another_process_merged_is_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for text in ("rain", "sun", "snow"):
        VectorCache(tmp_path).cached(HashedText(width=16))([text])
    encode = VectorCache(tmp_path).cached(Unwilling(width=16))
    assert not encode.missing(TEXTS)
    monkeypatch.setattr(module, "_MANY", 2)
    VectorCache(tmp_path).cached(HashedText(width=16))(["fog"])
    assert len(shards(tmp_path)) == 1
    torch.testing.assert_close(encode(TEXTS), HashedText(width=16).encode(TEXTS))


def test_what_is_lost_while_it_is_in_use_is_encoded_again(tmp_path: Path) -> None:
    encode = VectorCache(tmp_path).cached(HashedText(width=16))
    first = encode(TEXTS)
    for path in shards(tmp_path):
        path.write_bytes(b"")
    assert torch.equal(encode(TEXTS), first) and encode.encoded == 6


def test_two_starts_at_once_share_a_folder(tmp_path: Path) -> None:
    first, second = (VectorCache(tmp_path).cached(HashedText(width=16)) for _ in range(2))
    first(["rain"])
    second(["sun"])
    first(["sun", "rain"])
    assert torch.equal(VectorCache(tmp_path).cached(Unwilling(width=16))(["sun", "rain"]), HashedText(width=16).encode(["sun", "rain"]))


@pytest.mark.parametrize("encoder", [NoText(), HashedText(width=4)])
def test_nothing_to_encode(tmp_path: Path, encoder: Encoder) -> None:
    assert VectorCache(tmp_path).cached(encoder)([]).shape == (0, encoder.width)
    assert VectorCache(tmp_path).cached(encoder)(["", ""]).shape == (2, encoder.width)
