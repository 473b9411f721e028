"""A language model learns from texts alone, before it is asked for recommendations."""

from .loop import pretrain_model
from .options import OBJECTIVES, PAIRS, PretrainingOptions
from .pairs import Contrast, PairedTexts
from .words import GuessWords

__all__ = ["OBJECTIVES", "PAIRS", "Contrast", "GuessWords", "PairedTexts", "PretrainingOptions", "pretrain_model"]
