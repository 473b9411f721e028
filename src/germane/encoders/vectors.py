"""Text vectors on disk, by content: what was encoded once is never encoded again."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save
from torch import Tensor

from ..data.fetch import cache_folder
from ..errors import ConfigError
from .base import Encoder

__all__ = ["CachedTexts", "VectorCache"]

_log = logging.getLogger(__name__)

_BLOCK = 8192  # texts encoded between two writes, which an interrupted start loses; of an encoder that sends them away, those of one request
_MANY = 32  # small shards, from which on they are merged
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
        self._shards: list[Path | Tensor] = []  # files; [rows, width] of what could not be written
        self._warned = False

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
        rows: dict[bytes, list[int]] = {}  # of the answer, by key
        for row, text in enumerate(texts):
            if text:
                rows.setdefault(_key(text), []).append(row)
        if missing := self._fill(vectors, rows):
            self._encode({key: texts[rows[key][0]] for key in missing}, vectors, rows, progress)
        return vectors

    def missing(self, texts: Sequence[str]) -> list[str]:
        """Those of the texts that the cache lacks, each once; nothing is encoded."""
        place = self._known()
        return [text for text in dict.fromkeys(texts) if text and _key(text) not in place]

    def _fill(self, vectors: Tensor, rows: Mapping[bytes, list[int]]) -> list[bytes]:
        """Put what is kept where it belongs; gives the keys of what is not."""
        place, missing = self._known(), []
        found: dict[int, list[bytes]] = {}
        for key in rows:
            if key in place:
                found.setdefault(place[key][0], []).append(key)
            else:
                missing.append(key)
        lost: dict[int, list[bytes]] = {}
        for shard, keys in found.items():
            kept = _rows(self._shards[shard], [place[key][1] for key in keys])
            if kept is None:
                lost[shard] = keys
            else:
                _put(vectors, rows, keys, kept)
        if lost:  # another process merged them meanwhile: they are in a new shard
            self._place = {key: at for key, at in place.items() if at[0] not in lost}
            self._look()
            missing += self._fill(vectors, {key: rows[key] for keys in lost.values() for key in keys})
        return missing

    def _encode(
        self, missing: dict[bytes, str], vectors: Tensor, rows: Mapping[bytes, list[int]], progress: Callable[[int, int], None] | None
    ) -> None:
        todo = list(missing.items())
        self.encoder.check_room([text for _, text in todo])
        size = self.encoder.request or _BLOCK
        for start in range(0, len(todo), size):
            block = todo[start : start + size]
            some = self.encoder.encode([text for _, text in block])
            if not (whole := some.isfinite().all(1)).all():
                text = block[int(whole.int().argmin())][1]
                raise ConfigError(
                    f"[text] gives {text[:60]!r} a vector that is not of finite numbers: its weights are broken, or too large for its precision. "
                    'Fetch or save them anew, say precision = "float32", or choose another model.'
                )
            self.encoded += len(block)
            keys = [key for key, _ in block]
            written = self._write(keys, some)
            self._hold(keys, some if written is None else written)
            _put(vectors, rows, keys, some)
            if progress:
                progress(start + len(block), len(todo))
        self._merge()

    def _hold(self, keys: Sequence[bytes], shard: Path | Tensor) -> None:
        place = self._known()
        place.update({key: (len(self._shards), row) for row, key in enumerate(keys)})
        self._shards.append(shard)

    def _known(self) -> dict[bytes, tuple[int, int]]:
        """Where each text is kept. The vectors stay on disk: a folder holds those of every catalogue that was ever read."""
        if self._place is None:
            self._place = {}
            self._look()
        return self._place

    def _look(self) -> None:
        """Take in the shards that are new."""
        before = {shard for shard in self._shards if isinstance(shard, Path)}
        for path in sorted(self.folder.glob("*.safetensors")) if self.folder else ():
            if path not in before and (shard := self._shard(path)):
                self._hold(shard[0], path)

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
            if not self._warned:
                _log.warning("Text vectors could not be kept in %s (%s); they are encoded again next time.", self.folder, error)
            self._warned = True
            return None
        return self.folder / _name(content)

    def _merge(self) -> None:
        """Larger shards of the many small ones that single items leave behind; no others are read, as their sizes tell."""
        small, most = [], _SMALL * (32 + 4 * self.encoder.width)  # bytes
        for path in self.folder.glob("*.safetensors") if self.folder else ():
            with suppress(FileNotFoundError):
                if path.stat().st_size < most:
                    small.append(path)
        if len(small) < _MANY:
            return
        rows: dict[bytes, Tensor] = {}
        read: list[Path] = []
        for path in small:
            if shard := self._shard(path):
                rows |= dict(zip(*shard))
                read.append(path)
            if len(rows) >= _SMALL:
                self._replace(read, rows)
                rows, read = {}, []
        if len(read) > 1:
            self._replace(read, rows)

    def _replace(self, shards: Sequence[Path], rows: Mapping[bytes, Tensor]) -> None:
        merged = self._write(list(rows), torch.stack(list(rows.values())))
        if merged is None:
            return
        self._hold(list(rows), merged)
        for path in shards:
            if path != merged:
                path.unlink(missing_ok=True)


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _rows(shard: Path | Tensor, rows: list[int]) -> Tensor | None:
    """[len(rows), width]; None where the file is gone or damaged."""
    if isinstance(shard, Tensor):
        return shard[rows]
    first = min(rows)
    try:
        with safe_open(shard, "pt") as file:
            some: Tensor = file.get_slice("vectors")[first : max(rows) + 1]
            return some[[row - first for row in rows]]
    except (OSError, SafetensorError):
        return None


def _put(vectors: Tensor, rows: Mapping[bytes, list[int]], keys: Sequence[bytes], some: Tensor) -> None:
    """``some`` [len(keys), width] into the rows of their keys."""
    places = [(row, at) for at, key in enumerate(keys) for row in rows[key]]
    into, of = zip(*places)
    vectors[list(into)] = some[list(of)]


def _name(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32] + ".safetensors"
