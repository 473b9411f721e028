"""The contract passes an encoder that is right and finds what is wrong."""

from __future__ import annotations

import pytest
import torch

from germane.component import Options
from germane.encoders.base import Encoder
from germane.testing import EncoderContract


class LettersOptions(Options):
    size: int = 16


class Letters(Encoder):
    """Counts letters, in ``size`` drawers."""

    options: LettersOptions

    @property
    def width(self):
        return self.options.size

    @property
    def identity(self):
        return f"Letters-{self.options.size}"

    def encode(self, texts):
        vectors = torch.zeros(len(texts), self.width)
        for row, text in enumerate(texts):
            for letter in text:
                vectors[row, ord(letter) % self.width] += 1
        return vectors


class CentredByBatch(Letters):
    def encode(self, texts):
        vectors = super().encode(texts)
        return vectors - vectors.mean(0)


class OneName(Letters):
    identity = "OneName"


class TestLetters(EncoderContract):
    encoder = Letters()
    others = (Letters(size=8), Letters(size=32))


def contract(encoder, others=()):
    held = EncoderContract()
    held.encoder, held.others = encoder, others
    return held


def test_a_vector_that_depends_on_its_batch_is_found():
    with pytest.raises(AssertionError):
        contract(CentredByBatch()).test_batch_equals_one_by_one()


def test_an_identity_that_forgets_the_options_is_found():
    with pytest.raises(AssertionError, match="share one cache"):
        contract(OneName(), [OneName(size=8)]).test_identity_is_stable_and_follows_the_options()
