"""What every encoder must keep to."""

from __future__ import annotations

import json
from collections.abc import Sequence

import torch

from ..encoders.base import Encoder

__all__ = ["EncoderContract"]


class EncoderContract:
    """Tests for an encoder, brought by inheritance.

    class TestMine(EncoderContract):
        encoder = Mine(size=32)
        others = [Mine(size=64)]
    """

    encoder: Encoder
    others: Sequence[Encoder] = ()
    """The same class with options that change the vectors: each must have an identity of its own."""
    texts: Sequence[str] = (
        "A quiet film about rain",
        "rain",
        "Ein stiller Film über den Regen",
        "雨についての静かな映画",
        "x" * 40,
        "one two three " * 60,
        "100% (new!) \t and\nlines",
    )

    def test_shape_and_type(self) -> None:
        vectors = self.encoder.encode(self.texts)
        assert vectors.shape == (len(self.texts), self.encoder.width)
        assert vectors.dtype == torch.float32
        assert vectors.device.type == "cpu"
        assert not vectors.requires_grad

    def test_no_texts(self) -> None:
        assert self.encoder.encode([]).shape == (0, self.encoder.width)

    def test_empty_text_is_zero(self) -> None:
        vectors = self.encoder.encode(["", self.texts[0], ""])
        assert not vectors[0].any() and not vectors[2].any()
        if self.encoder.width:
            assert vectors[1].any()

    def test_every_number_is_finite(self) -> None:
        assert torch.isfinite(self.encoder.encode([*self.texts, "", " ", "…"])).all()

    def test_same_text_same_vector(self) -> None:
        first, second = self.encoder.encode([self.texts[0]]), self.encoder.encode([self.texts[0]])
        assert torch.equal(first, second)

    def test_other_text_other_vector(self) -> None:
        if self.encoder.width:
            vectors = self.encoder.encode(self.texts[:2])
            assert not torch.allclose(vectors[0], vectors[1])

    def test_batch_equals_one_by_one(self) -> None:
        whole = self.encoder.encode(self.texts)
        single = torch.cat([self.encoder.encode([text]) for text in self.texts])
        torch.testing.assert_close(whole, single, rtol=0, atol=1e-5)

    def test_order_does_not_matter(self) -> None:
        forwards, backwards = self.encoder.encode(self.texts), self.encoder.encode(self.texts[::-1])
        torch.testing.assert_close(forwards, backwards.flip(0), rtol=0, atol=1e-5)

    def test_identity_is_stable_and_follows_the_options(self) -> None:
        again = type(self.encoder).from_options(self.encoder.settings())
        assert self.encoder.identity == again.identity
        identities = [encoder.identity for encoder in (self.encoder, *self.others)]
        assert len(set(identities)) == len(identities), f"vectors of different options would share one cache: {identities}"

    def test_options_survive_saving(self) -> None:
        settings = json.loads(json.dumps(self.encoder.settings()))
        assert type(self.encoder).from_options(settings).options == self.encoder.options
