"""Judging recommenders."""

from .options import SEGMENTS, EvaluationOptions
from .protocol import Cases, judge_cases, paired, rows_of, validation_figure
from .variants import VARIANTS, mistyped

__all__ = ["SEGMENTS", "VARIANTS", "Cases", "EvaluationOptions", "judge_cases", "mistyped", "paired", "rows_of", "validation_figure"]
