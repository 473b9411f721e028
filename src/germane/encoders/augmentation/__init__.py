"""The same texts said otherwise: for training, and to ask what a model makes of them."""

from .base import Augmenter
from .chain import TextAugmentation, TextAugmentationOptions, check_augment
from .round_trip import RoundTrip
from .synonyms import Synonyms
from .token_dropout import TokenDropout
from .typos import Typos, mistyped
from .wordnet import WordNet

__all__ = [
    "Augmenter",
    "RoundTrip",
    "Synonyms",
    "TextAugmentation",
    "TextAugmentationOptions",
    "TokenDropout",
    "Typos",
    "WordNet",
    "check_augment",
    "mistyped",
]
