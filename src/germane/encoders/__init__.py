"""Content in, vectors out: prompts make a text of an item, an encoder makes a vector of a text."""

from __future__ import annotations

from .base import Encoder
from .content import ItemContent, Vocabulary
from .endpoint import EndpointText
from .hashed import HashedText
from .learning import LearningTexts, frozen_of
from .multilingual import MultilingualText
from .no_text import NoText
from .prompts import prompts
from .spelling import Spelling, words_in
from .static import StaticText
from .text import PretrainedText
from .vectors import CachedTexts, VectorCache
from .whiten import Whitening
from .words import BUCKETS, Words, single_words, text_words, word_codes

__all__ = [
    "BUCKETS",
    "CachedTexts",
    "Encoder",
    "EndpointText",
    "HashedText",
    "ItemContent",
    "LearningTexts",
    "MultilingualText",
    "NoText",
    "PretrainedText",
    "Spelling",
    "StaticText",
    "VectorCache",
    "Vocabulary",
    "Whitening",
    "Words",
    "frozen_of",
    "prompts",
    "single_words",
    "text_words",
    "word_codes",
    "words_in",
]
