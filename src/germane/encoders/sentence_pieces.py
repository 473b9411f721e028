"""A SentencePiece unigram model read without its library: the pieces, their scores and the normaliser, handed to ``tokenizers``."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import FetchError

__all__ = ["sentence_pieces"]


def sentence_pieces(file: Path) -> Any:
    """A ``tokenizers.Tokenizer`` that cuts texts as the model in this file does; piece 0 is the unknown one.

    Runs of unknown letters are one unknown piece, as in the library's own answer.
    """
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

    pieces: list[tuple[str, float]] = []
    charsmap = b""
    try:
        for field, value in _fields(file.read_bytes()):
            if field == 1:  # a piece: its text, its score
                said = dict(_fields(value))
                pieces.append((said[1].decode("utf-8"), struct.unpack("<f", said[2])[0] if 2 in said else 0.0))
            elif field == 3:  # how texts are normalised; 2 is the table of letters
                charsmap = dict(_fields(value)).get(2, b"")
        if not pieces:
            raise ValueError("it has no pieces")
        tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0, byte_fallback=False))
        letters = [normalizers.Precompiled(charsmap)] if charsmap else []
    except (OSError, ValueError, KeyError, IndexError, struct.error, TypeError) as error:
        raise FetchError(f"{file} is no SentencePiece model that can be read ({error}); delete its folder, and it is fetched again.") from None
    tokenizer.normalizer = normalizers.Sequence([*letters, normalizers.Strip(), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=False)
    return tokenizer


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """The fields of a Protocol Buffers message: number, and the bytes of its value."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        if key & 7 == 0:
            begin = at
            _, at = _varint(message, at)
        elif key & 7 == 2:
            length, begin = _varint(message, at)
            at = begin + length
        elif key & 7 in (1, 5):
            begin, at = at, at + (8 if key & 7 == 1 else 4)
        else:
            raise ValueError(f"wire type {key & 7}")
        if at > len(message):
            raise ValueError("it ends too early")
        yield key >> 3, message[begin:at]


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return value, at
