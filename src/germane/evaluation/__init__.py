"""Judging recommenders."""

from .blending import choose_weights
from .cases import Cases
from .options import SEGMENTS, EvaluationOptions
from .pairs import judge_pairs
from .protocol import judge_cases, left_out
from .rows import paired, rows_of
from .validation import Validation
from .variants import VARIANTS, mistyped

__all__ = [
    "Cases",
    "EvaluationOptions",
    "SEGMENTS",
    "VARIANTS",
    "Validation",
    "choose_weights",
    "judge_cases",
    "judge_pairs",
    "left_out",
    "mistyped",
    "paired",
    "rows_of",
]
