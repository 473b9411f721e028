from __future__ import annotations

import random

import pytest
import torch
from torch import Tensor

from germane.encoders import HashedText, Whitening
from germane.errors import ConfigError


def cone(n: int = 2000, width: int = 12, seed: int = 0) -> Tensor:
    """Vectors in a narrow cone, axes of very different variance: what language models give."""
    generator = torch.Generator().manual_seed(seed)
    mixed = torch.randn(n, width, generator=generator) * torch.linspace(0.1, 2, width)
    return mixed @ torch.linalg.qr(torch.randn(width, width, generator=generator)).Q + 6


def test_axes_get_the_same_variance() -> None:
    vectors = cone()
    whitening = Whitening.fit(vectors, shrink=0)
    flat = (vectors - whitening.mean) @ whitening.matrix
    torch.testing.assert_close(flat.T @ flat / len(flat), torch.eye(12), atol=1e-3, rtol=0)


def test_unit_length_and_no_common_direction() -> None:
    vectors = Whitening.fit(cone(), width=6).transform(cone(seed=0))
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(len(vectors)))
    assert vectors.mean(0).norm() < 0.05
    before = torch.nn.functional.normalize(cone(), dim=1)
    assert (before @ before.T).mean() > 0.8 > 0.05 > (vectors @ vectors.T).mean()


def test_zero_stays_zero_and_does_not_move_the_centre() -> None:
    vectors = torch.cat([cone(), torch.zeros(500, 12)])
    whitening = Whitening.fit(vectors, width=4)
    torch.testing.assert_close(whitening.mean, Whitening.fit(cone(), width=4).mean)
    assert not whitening.transform(vectors)[-500:].any()


def test_the_strongest_axes_are_kept() -> None:
    vectors = torch.zeros(400, 3)
    vectors[:, 1] = torch.randn(400, generator=torch.Generator().manual_seed(0)) * 5
    vectors[:, 2] = torch.randn(400, generator=torch.Generator().manual_seed(1))
    assert Whitening.fit(vectors, width=1).matrix.abs().argmax() == 1


def test_shrinking_holds_faint_axes_down() -> None:
    faint = torch.randn(1000, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 1e-3])
    spread = ((faint - faint.mean(0)) @ Whitening.fit(faint).matrix).std(0)
    assert spread[0] == pytest.approx(1, abs=0.02) and spread[1] < 0.05


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_few_vectors(n: int) -> None:
    vectors = torch.randn(n, 5, generator=torch.Generator().manual_seed(0))
    moved = Whitening.fit(vectors, width=4).transform(vectors)
    assert moved.shape == (n, 4) and torch.isfinite(moved).all()


def test_equal_vectors_stay_equal_and_are_not_zero() -> None:
    moved = Whitening.fit(torch.ones(10, 3)).transform(torch.ones(10, 3))
    assert torch.equal(moved[0], moved[9]) and moved[0].norm() == pytest.approx(1)


def test_a_rank_below_the_width_gives_zeros() -> None:
    flat = torch.randn(100, 2, generator=torch.Generator().manual_seed(0)) @ torch.ones(2, 6)
    whitening = Whitening.fit(flat, width=8)
    assert whitening.matrix.shape == (6, 8) and not whitening.matrix[:, 6:].any()
    assert torch.isfinite(whitening.transform(torch.randn(4, 6))).all()


def few_words(seed: int) -> list[str]:
    """Texts of four words out of eleven."""
    words = ["quiet", "film", "about", "rain", "space", "three", "umbrella", "boots", "sunscreen", "sandals", "number"]
    rng = random.Random(seed)
    return [" ".join(rng.choice(words) for _ in range(4)) for _ in range(rng.choice((25, 40, 40, 60, 100)))]


def test_fewer_texts_than_axes() -> None:
    """Of these, ``eigh`` of the covariances does not converge."""
    vectors = HashedText(width=768).encode(few_words(34))
    moved = Whitening.fit(vectors, width=128).transform(vectors)
    assert moved.shape == (100, 128) and torch.isfinite(moved).all()
    torch.testing.assert_close(moved.norm(dim=1), torch.ones(100))


def test_both_ways_to_the_axes_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = cone(40, 24)
    usual = Whitening.fit(vectors, width=6, shrink=0)
    beside = torch.cat([vectors, torch.zeros(40, 24)], dim=1)  # the same in a space of 48 axes, more than there are rows
    torch.testing.assert_close(Whitening.fit(beside, width=6, shrink=0).transform(beside), usual.transform(vectors), atol=1e-4, rtol=0)

    def fails(matrix: Tensor) -> Tensor:
        raise torch.linalg.LinAlgError("it did not converge")

    monkeypatch.setattr(torch.linalg, "eigh", fails)
    torch.testing.assert_close(Whitening.fit(vectors, width=6, shrink=0).transform(vectors), usual.transform(vectors))


def test_no_width() -> None:
    nothing = torch.zeros(3, 0)
    assert Whitening.fit(nothing, width=0).transform(nothing).shape == (3, 0)


def test_any_leading_shape_and_state() -> None:
    whitening = Whitening.fit(cone(), width=4)
    again = Whitening.from_state(whitening.state())
    moved = again.transform(cone()[:6].reshape(2, 3, 12))
    torch.testing.assert_close(moved.reshape(6, 4), whitening.transform(cone()[:6]))


def test_bad_options() -> None:
    with pytest.raises(ConfigError, match="width = -1"):
        Whitening.fit(cone(), width=-1)
