from __future__ import annotations

import subprocess
import sys
import time

import pytest
import torch

from germane.encoders import HashedText
from germane.errors import ConfigError
from germane.testing import EncoderContract


class TestHashedText(EncoderContract):
    encoder = HashedText(width=64)
    others = (HashedText(width=32), HashedText(width=64, seed=1), HashedText(width=64, ngrams=4))


class TestWholeWords(EncoderContract):
    encoder = HashedText(width=64, ngrams=0)


def test_vectors_have_unit_length() -> None:
    vectors = HashedText().encode(["rain", "a b c", "rain rain rain"])
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(3))
    torch.testing.assert_close(vectors[0], vectors[2])


def test_case_order_and_punctuation_do_not_matter() -> None:
    a, b = HashedText().encode(["Space War!", "war, SPACE"])
    torch.testing.assert_close(a, b)


def test_a_typo_stays_near_and_other_words_stay_far() -> None:
    film, typo, other = HashedText(width=1024).encode(["romantic comedy in paris", "romantc comedy in pariss", "the galactic war of machines"])
    assert film @ typo > 0.7
    assert abs(float(film @ other)) < 0.2
    whole, mistyped = HashedText(width=1024, ngrams=0).encode(["comedy", "comdey"])
    assert abs(float(whole @ mistyped)) < 0.2


def test_the_seed_moves_collisions() -> None:
    words = [f"word{i:03d}" for i in range(200)]

    def colliding(seed: int) -> set[tuple[int, int]]:
        vectors = HashedText(width=64, ngrams=0, seed=seed).encode(words)
        return {(int(i), int(j)) for i, j in (vectors @ vectors.T).abs().triu(1).gt(0.5).nonzero()}

    first, second = colliding(0), colliding(1)
    assert first and second and len(first & second) < 0.2 * len(first)


def test_the_same_in_every_process() -> None:
    code = "from germane.encoders import HashedText; print(HashedText(width=16).encode(['A quiet film'])[0].tolist())"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert other.strip() == str(HashedText(width=16).encode(["A quiet film"])[0].tolist())


def test_blocks_do_not_show() -> None:
    texts = [f"film {i % 300} of {i % 7}" for i in range(5000)]
    vectors = HashedText(width=16).encode(texts)
    torch.testing.assert_close(vectors[4990:], HashedText(width=16).encode(texts[4990:]))


def test_a_catalogue_takes_seconds() -> None:
    texts = [f"A film number {i} about {i % 97} friends and the {i % 31} storms of the year" for i in range(20_000)]
    start = time.perf_counter()
    HashedText().encode(texts)
    assert time.perf_counter() - start < 10


@pytest.mark.parametrize("options", [{"width": 0}, {"ngrams": -1}, {"seed": -1}, {"wide": 3}])
def test_bad_options(options: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="HashedText"):
        HashedText(**options)
