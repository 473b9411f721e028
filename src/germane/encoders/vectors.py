"""Text vectors on disk, by content: what was encoded once is never encoded again."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ..data.fetch import cache_folder
from ..errors import ConfigError
from .base import Encoder

__all__ = ["CachedTexts", "VectorCache"]

_log = logging.getLogger(__name__)

_BLOCK = 8192  # texts encoded between two writes, which an interrupted start loses; of an encoder that sends them away, those of one request
_MANY = 32  # shards, from which the small ones are merged
_SMALL = 4096  # rows


class VectorCache:
    """A folder of vectors, by encoder and text. ``cached(encoder)`` encodes like the encoder, but only what the folder lacks.

    A shard is one safetensors file that is written whole and never changed; its name is its own hash, so a damaged one is dropped and its
    texts encoded again. Several processes may share a folder.

    >>> from germane.encoders import HashedText
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     encode = VectorCache(folder).cached(HashedText(width=8))
    ...     encode(["rain", "sun", "rain"]).shape, encode.encoded
    (torch.Size([3, 8]), 2)
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        """``folder``: absent, ``vectors/`` in the cache folder."""
        self.folder = None if folder is None else Path(folder)

    def cached(self, encoder: Encoder) -> CachedTexts:
        return CachedTexts(encoder, self.folder)


class CachedTexts:
    """What ``VectorCache.cached`` gives: call it with texts."""

    def __init__(self, encoder: Encoder, root: Path | None) -> None:
        self.encoder = encoder
        self._root = root
        self.encoded = 0
        """How many texts the encoder was asked for so far."""
        self._place: dict[bytes, tuple[int, int]] | None = None  # text's hash -> shard, row
        self._shards: list[Tensor] = []  # [rows, width] each

    @cached_property
    def folder(self) -> Path | None:
        """Where the shards lie; None where there is no folder to write to. Found at the first call: an identity may need the model's files."""
        try:
            root = cache_folder() / "vectors" if self._root is None else self._root
        except OSError as error:
            _log.warning("There is no cache folder (%s), so text vectors are not kept; set GERMANE_CACHE to a folder that can be written.", error)
            return None
        return root / hashlib.sha256(self.encoder.identity.encode()).hexdigest()[:32]

    def __call__(self, texts: Sequence[str], progress: Callable[[int, int], None] | None = None) -> Tensor:
        """[len(texts), width] float32. ``progress`` is told how many texts of how many missing ones are encoded."""
        vectors = torch.zeros(len(texts), self.encoder.width)
        if not self.encoder.width:
            return vectors
        place = self._read() if self._place is None else self._place
        keys = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() if text else b"" for text in texts]
        missing = {key: text for key, text in zip(keys, texts) if key and key not in place}
        if missing:
            self._encode(missing, progress)
        for shard, where in self._by_shard(keys):
            rows, inside = zip(*where)
            vectors[list(rows)] = self._shards[shard][list(inside)]
        return vectors

    def missing(self, texts: Sequence[str]) -> list[str]:
        """Those of the texts that the cache lacks, each once; nothing is encoded."""
        place = self._read() if self._place is None else self._place
        return [text for text in dict.fromkeys(texts) if text and hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() not in place]

    def _encode(self, missing: dict[bytes, str], progress: Callable[[int, int], None] | None) -> None:
        todo = list(missing.items())
        self.encoder.check_room([text for _, text in todo])
        size = self.encoder.request or _BLOCK
        for start in range(0, len(todo), size):
            block = todo[start : start + size]
            vectors = self.encoder.encode([text for _, text in block])
            if not (whole := vectors.isfinite().all(1)).all():
                text = block[int(whole.int().argmin())][1]
                raise ConfigError(
                    f"[text] gives {text[:60]!r} a vector that is not of finite numbers: its weights are broken, or too large for its precision. "
                    'Fetch or save them anew, say precision = "float32", or choose another model.'
                )
            self.encoded += len(block)
            keys = [key for key, _ in block]
            self._hold(keys, vectors)
            self._write(keys, vectors)
            if progress:
                progress(start + len(block), len(todo))
        self._merge()

    def _by_shard(self, keys: Sequence[bytes]) -> Iterator[tuple[int, list[tuple[int, int]]]]:
        assert self._place is not None
        found: dict[int, list[tuple[int, int]]] = {}
        for row, key in enumerate(keys):
            if key:
                shard, inside = self._place[key]
                found.setdefault(shard, []).append((row, inside))
        yield from found.items()

    def _hold(self, keys: Sequence[bytes], vectors: Tensor) -> None:
        if self._place is None:
            self._place = {}
        self._place.update({key: (len(self._shards), row) for row, key in enumerate(keys)})
        self._shards.append(vectors)

    def _read(self) -> dict[bytes, tuple[int, int]]:
        self._place, self._shards = {}, []
        for path in sorted(self.folder.glob("*.safetensors")) if self.folder else ():
            if shard := self._shard(path):
                self._hold(*shard)
        return self._place

    def _shard(self, path: Path) -> tuple[list[bytes], Tensor] | None:
        """Keys and vectors; None, and the file is gone, where it is damaged."""
        try:
            content = path.read_bytes()
            if _name(content) != path.name:
                raise ValueError("its hash differs")
            held = load(content)
            keys, vectors = held["keys"], held["vectors"]
            if keys.shape != (len(vectors), 32) or vectors.shape[1] != self.encoder.width or vectors.dtype != torch.float32:
                raise ValueError("its shape differs")
            if not vectors.isfinite().all():
                raise ValueError("it holds what is no number")
        except FileNotFoundError:
            return None  # merged by another process
        except (OSError, ValueError, KeyError, IndexError, SafetensorError) as error:
            _log.warning("The vector cache file %s is damaged (%s); its texts are encoded again.", path, error)
            with suppress(OSError):
                path.unlink()
            return None
        flat = keys.numpy().tobytes()
        return [flat[at : at + 32] for at in range(0, len(flat), 32)], vectors

    def _write(self, keys: Sequence[bytes], vectors: Tensor) -> Path | None:
        if self.folder is None:
            return None
        codes = torch.frombuffer(bytearray(b"".join(keys)), dtype=torch.uint8).reshape(-1, 32)
        content = save({"keys": codes, "vectors": vectors.contiguous()}, {"encoder": self.encoder.identity})
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.folder, suffix=".partial", delete=False) as file:
                try:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                    os.replace(file.name, self.folder / _name(content))
                except OSError:
                    os.unlink(file.name)
                    raise
        except OSError as error:
            _log.warning("Text vectors could not be kept in %s (%s); they are encoded again next time.", self.folder, error)
            return None
        return self.folder / _name(content)

    def _merge(self) -> None:
        """One shard of the many small ones that single items leave behind."""
        paths = list(self.folder.glob("*.safetensors")) if self.folder else []
        if len(paths) < _MANY:
            return
        small = {path: shard for path in paths if (shard := self._shard(path)) and len(shard[0]) < _SMALL}
        rows = {key: vector for keys, vectors in small.values() for key, vector in zip(keys, vectors)}
        if len(small) < 2 or (merged := self._write(list(rows), torch.stack(list(rows.values())))) is None:
            return
        for path in small:
            if path != merged:
                path.unlink(missing_ok=True)


def _name(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32] + ".safetensors"
