"""A sentence encoder of 8 numbers a token with random weights, in the files that the real one travels in."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

PIECES = [
    "<unk>",
    "<s>",
    "</s>",
    "▁",
    "▁rain",
    "▁space",
    "r",
    "a",
    "i",
    "n",
    "s",
    "p",
    "c",
    "e",
    "▁new",
    "1",
    "0",
    "%",
    "x",
    "о",
    "雨",
    "o",
    "t",
    "f",
]
WIDTH, BRANCH, CHUNKS = 8, 4, 3


def arrays(seed: int = 0) -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(seed)

    def some(*shape: int) -> NDArray[np.float32]:
        return rng.normal(size=shape, scale=0.3).astype(np.float32)

    found: dict[str, NDArray[Any]] = {
        f"q{chunk + 1}": rng.integers(0, 256, (len(PIECES) // CHUNKS, WIDTH), dtype=np.uint8) for chunk in range(CHUNKS)
    }
    found |= {"scale": np.full(CHUNKS, 0.01, np.float32) + some(CHUNKS) * 1e-3, "lo": np.full(CHUNKS, -1.3, np.float32)}
    for wide in (2, 3, 5):
        found |= {f"proj{wide}": some(WIDTH, BRANCH), f"ln_g{wide}": some(BRANCH), f"w1_{wide}": some(wide * BRANCH, BRANCH)}
        found |= {f"w2_{wide}": some(wide * BRANCH, BRANCH), **{f"{name}{wide}": some(BRANCH) for name in ("proj_b", "ln_b", "b1_", "b2_")}}
    seen = WIDTH + 3 * BRANCH
    found |= {"ln_g": some(seen), "ln_b": some(seen), "cnn_W": some(seen, WIDTH), "cnn_b": some(WIDTH)}
    found |= {"d0": some(WIDTH, 6), "d1": some(6, 6), "p1": some(WIDTH, 6), "d2": some(6, WIDTH), "p3": some(6, WIDTH), "d3": some(WIDTH, WIDTH)}
    return {**found, "eps": np.array(1e-6)}


def message(*fields: tuple[int, bytes | float]) -> bytes:
    """A Protocol Buffers message of texts and floats, short ones and one longer than 127 bytes alike."""
    out = b""
    for number, value in fields:
        if isinstance(value, float):
            out += bytes([number << 3 | 5]) + struct.pack("<f", value)
        else:
            length, more = len(value), b""
            while length > 127:
                more, length = more + bytes([length & 127 | 128]), length >> 7
            out += bytes([number << 3 | 2]) + more + bytes([length]) + value
    return out


def save_tiny_sentence_encoder(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "weights.npz", allow_pickle=False, **arrays())
    pieces = [(1, message((1, piece.encode()), (2, -float(max(1, 5 - len(piece)))))) for piece in PIECES]
    (folder / "sp.model").write_bytes(message(*pieces, (2, b"\x18\x01" + b"\x7a\x8c\x01" + b"x" * 140), (3, b"")))
    return folder
