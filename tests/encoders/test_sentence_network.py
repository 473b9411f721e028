from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from germane.encoders.sentence_network import SentenceNetwork
from germane.errors import FetchError

from .tiny_sentence_encoder import CHUNKS, arrays


def by_hand(codes: list[int]) -> NDArray[np.float64]:
    """One text, token by token."""
    of = arrays()

    def norm(x: NDArray[np.float64], gain: NDArray[np.float32], shift: NDArray[np.float32]) -> NDArray[np.float64]:
        return (x - x.mean()) / np.sqrt(x.var() + of["eps"]) * gain + shift

    tokens = [of[f"q{code % CHUNKS + 1}"][code // CHUNKS] * np.float64(of["scale"][code % CHUNKS]) + of["lo"][code % CHUNKS] for code in codes]
    gain, shift = (np.concatenate([of[f"{name}{wide}"] for wide in (2, 3, 5)]) for name in ("ln_g", "ln_b"))
    begun = [norm(np.concatenate([x @ of[f"proj{wide}"] + of[f"proj_b{wide}"] for wide in (2, 3, 5)]), gain, shift) for x in tokens]
    seen = list(tokens)
    for place, (wide, before) in enumerate({2: 0, 3: 1, 5: 2}.items()):
        x = [token[place * 4 : place * 4 + 4] for token in begun]
        for layer in "12":
            around = [[x[at] if 0 <= at < len(x) else np.zeros(4) for at in range(here - before, here - before + wide)] for here in range(len(x))]
            x = [
                own + np.maximum(np.concatenate(window) @ of[f"w{layer}_{wide}"] + of[f"b{layer}_{wide}"], 0)
                for own, window in zip(x, around, strict=True)
            ]
        seen = [np.concatenate([whole, more]) for whole, more in zip(seen, x, strict=True)]
    y = sum(norm(token, of["ln_g"], of["ln_b"]) @ of["cnn_W"] + of["cnn_b"] for token in seen) / np.sqrt(len(seen))
    y = np.maximum(y @ of["p1"] + np.maximum(y @ of["d0"], 0) @ of["d1"], 0)
    y = np.tanh(y @ of["p3"] + np.maximum(y @ of["d2"], 0) @ of["d3"])
    return np.asarray(y / np.linalg.norm(y))


def test_each_text_as_by_hand_whatever_stands_beside_it() -> None:
    texts = [[1, 4, 5, 4, 7, 2], [1, 2], [1, 20, 0, 2]]
    vectors = SentenceNetwork(arrays())(texts)
    torch.testing.assert_close(vectors, torch.tensor(np.stack([by_hand(text) for text in texts])).float(), atol=1e-5, rtol=0)


def test_broken_weights_are_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "weights.npz"
    file.write_bytes(b"PK\x03\x04 short")
    with pytest.raises(FetchError, match="cannot be read"):
        SentenceNetwork.load(file)
    np.savez(file, allow_pickle=False, q1=np.zeros((2, 2), np.uint8))
    with pytest.raises(FetchError, match="cannot be read"):
        SentenceNetwork.load(file)
    np.savez(file, eps=np.array([{}], dtype=object))
    with pytest.raises(FetchError, match="cannot be read"):
        SentenceNetwork.load(file)
