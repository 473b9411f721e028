"""WordNet's own files, read where they lie: which words mean the same."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import lru_cache
from mmap import ACCESS_READ, mmap
from pathlib import Path

from ...errors import ConfigError

__all__ = ["WordNet", "folder_of_wordnet"]

KINDS = ("noun", "verb", "adj", "adv")
PLACES = ("/usr/share/wordnet", "/usr/local/share/wordnet", "/usr/local/WordNet-3.0/dict", "/opt/homebrew/opt/wordnet/dict")


def folder_of_wordnet(said: str | None = None) -> Path | None:
    """The folder with ``index.noun`` and the rest: the one that is said, else ``$WNSEARCHDIR``, else the usual places. None: there is none."""
    places = (said,) if said is not None else (os.environ.get("WNSEARCHDIR"), *PLACES)
    return next((Path(place) for place in places if place and (Path(place) / "index.noun").is_file()), None)


class WordNet:
    """Synonyms by word, of its most frequent meaning as a noun, verb, adjective and adverb (Miller 1995, WordNet: a lexical database for English).

    Reads the database files of version 3 (wndb(5WN)) through the system's page cache: an index is searched by halves, so a word costs a few
    microseconds and nothing is held in memory. Base forms only: ``dogs`` is not found, and so is left alone.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        try:
            self._files = {kind: (_mapped(Path(folder) / f"index.{kind}"), _mapped(Path(folder) / f"data.{kind}")) for kind in KINDS}
        except (OSError, ValueError) as error:
            raise ConfigError(f"{folder} does not hold WordNet's files ({error}): give the folder of index.noun and data.noun.") from None
        self.synonyms = lru_cache(maxsize=65_536)(self._synonyms)
        """The words that mean what ``word`` means most often, itself left out, in WordNet's order; several words in one with spaces."""

    def _synonyms(self, word: str) -> tuple[str, ...]:
        key = word.lower().replace(" ", "_")
        found = {other: None for kind in KINDS for other in self._meaning(key, kind) if other.lower() != key}
        return tuple(other.replace("_", " ") for other in found)

    def _meaning(self, key: str, kind: str) -> Iterator[str]:
        """The words of its first sense: ``lemma pos senses pointers [pointer …] senses tagged offset [offset …]``, then, in the other file,
        ``offset file pos words(hex) word id [word id …] …``."""
        index, data = self._files[kind]
        line = _line(index, key.encode())
        if line is None:
            return
        fields = line.split()
        offset = int(fields[-int(fields[2])])
        meaning = data[offset : data.find(b"\n", offset)].decode("latin-1").split()
        for place in range(int(meaning[3], 16)):
            yield meaning[4 + 2 * place].partition("(")[0]  # an adjective may say where it stands: (a), (p), (ip)


def _mapped(path: Path) -> mmap:
    with path.open("rb") as file:
        return mmap(file.fileno(), 0, access=ACCESS_READ)


def _line(index: mmap, key: bytes) -> bytes | None:
    """The line of ``key`` in a sorted file, found by halves. Its head, the licence, begins with spaces and sorts before all words."""
    low, high = 0, len(index)
    while low < high:
        middle = (low + high) // 2
        begin = index.rfind(b"\n", low, middle) + 1 or low
        end = index.find(b"\n", middle)
        end = len(index) if end < 0 else end
        line = index[begin:end]
        found = line.partition(b" ")[0]
        if found == key and key:
            return line
        if found < key:
            low = end + 1
        else:
            high = begin
    return None
