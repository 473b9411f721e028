"""Several augmenters, one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...component import Component, Options, build
from ...errors import ConfigError
from .base import Augmenter

__all__ = ["TextAugmentation", "TextAugmentationOptions", "check_augment"]

WHERE = "[text] augment:"


class TextAugmentationOptions(Options):
    augment: tuple[str | dict[str, Any], ...] = ()
    """What says texts otherwise, in this order: class names, or tables of ``use`` and options, such as
    ``["Synonyms", {use = "TokenDropout", share = 0.2}]``. Absent: texts stay as they are."""


class TextAugmentation(Component):
    """Texts through augmenters, one after the other. Those that cannot work here are an error when it is made, not in the middle of a training.

    >>> vary = TextAugmentation(augment=[{"use": "TokenDropout", "share": 0.5}])
    >>> vary(["a short and funny film", ""], np.random.default_rng(2))
    ['and film', '']
    >>> TextAugmentation(augment=["Synonims"])
    Traceback (most recent call last):
    ...
    germane.errors.ConfigError: [text] augment: use = 'Synonims': choose from RoundTrip, Synonyms, ...
    """

    options: TextAugmentationOptions

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.augmenters = tuple(_made(said) for said in self.options.augment)
        reasons = [reason for reason in (part.missing() for part in self.augmenters) if reason is not None]
        if reasons:
            raise ConfigError(reasons)

    def __call__(self, texts: Sequence[str], rng: np.random.Generator) -> list[str]:
        """As many texts, in their order."""
        out = list(texts)
        for augmenter in self.augmenters:
            out = augmenter(out, rng)
        return out


def check_augment(value: tuple[str | dict[str, Any], ...]) -> tuple[str | dict[str, Any], ...]:
    """The value, or a ``ValueError`` that says what is misspelt. Whether they work on this machine is asked when something learns: a trained model is
    read where they do not, and where classes of one's own are not to be found."""
    for said in value:
        if ":" not in str(said if isinstance(said, str) else said.get("use")):
            try:
                _made(said)
            except ConfigError as error:
                raise ValueError(" ".join(fault.removeprefix(WHERE).strip() for fault in error.faults).rstrip(".")) from None
    return value


def _made(said: str | Mapping[str, Any]) -> Augmenter:
    from .. import augmentation

    part: Augmenter = build({"use": said} if isinstance(said, str) else said, augmentation, Augmenter, WHERE)
    return part
