from __future__ import annotations

from germane.encoders import NoText
from germane.testing import EncoderContract


class TestNoText(EncoderContract):
    encoder = NoText()
