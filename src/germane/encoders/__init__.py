"""Content in, vectors out: prompts make a text of an item, an encoder makes a vector of a text."""

from __future__ import annotations

from .base import Encoder
from .content import ItemContent
from .hashed import HashedText
from .learning import LearningTexts
from .no_text import NoText
from .prompts import prompts
from .text import PretrainedText
from .vectors import VectorCache
from .whiten import Whitening
from .words import Words, word_codes

__all__ = [
    "Encoder",
    "HashedText",
    "ItemContent",
    "LearningTexts",
    "NoText",
    "PretrainedText",
    "VectorCache",
    "Whitening",
    "Words",
    "prompts",
    "word_codes",
]
