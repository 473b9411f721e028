from __future__ import annotations

from pathlib import Path

import pytest

from germane.encoders.sentence_pieces import sentence_pieces
from germane.errors import FetchError

from .tiny_sentence_encoder import PIECES, save_tiny_sentence_encoder


def test_the_best_pieces(tmp_path: Path) -> None:
    read = sentence_pieces(save_tiny_sentence_encoder(tmp_path) / "sp.model")

    def pieces(text: str) -> list[str]:
        return [PIECES[code] for code in read.encode(text, add_special_tokens=False).ids]

    assert pieces("rain space") == ["▁rain", "▁space"]
    assert pieces("  rain   space ") == ["▁rain", "▁space"]
    assert pieces("rains") == ["▁rain", "s"]
    assert pieces("pain") == ["▁", "p", "a", "i", "n"]
    assert pieces("zzz") == ["▁", "<unk>"]  # one for all of them
    assert pieces("") == []


@pytest.mark.parametrize("damage", [lambda whole: whole[:100], lambda whole: b"\x0c" + whole, lambda whole: b"", lambda whole: b"\x0a\x02\x10\x01"])
def test_a_broken_file_is_one_sentence(tmp_path: Path, damage: object) -> None:
    file = save_tiny_sentence_encoder(tmp_path) / "sp.model"
    file.write_bytes(damage(file.read_bytes()))  # type: ignore[operator]
    with pytest.raises(FetchError, match="is no SentencePiece model that can be read"):
        sentence_pieces(file)
