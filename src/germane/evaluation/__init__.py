"""Judging recommenders."""

from .options import EvaluationOptions
from .protocol import Cases, judge_cases, paired, rows_of, validation_figure

__all__ = ["Cases", "EvaluationOptions", "judge_cases", "paired", "rows_of", "validation_figure"]
