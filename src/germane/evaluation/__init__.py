"""Judging recommenders."""

from .blending import weigh
from .calibrating import check_calibration, choose_calibration, labels_at
from .cases import Cases, cases_of
from .options import SEGMENTS, EvaluationOptions
from .pairs import OF_ROWS, judge_pairs
from .protocol import judge_cases, left_out
from .rows import how_listed, masks_of, paired, rows_of
from .second_stage import Taught, teach_ranker
from .validation import Validation, check_metric
from .variants import READ_OTHERWISE, VARIANTS

__all__ = [
    "Cases",
    "EvaluationOptions",
    "OF_ROWS",
    "READ_OTHERWISE",
    "SEGMENTS",
    "Taught",
    "VARIANTS",
    "Validation",
    "cases_of",
    "check_calibration",
    "check_metric",
    "choose_calibration",
    "how_listed",
    "judge_cases",
    "judge_pairs",
    "left_out",
    "labels_at",
    "masks_of",
    "paired",
    "rows_of",
    "weigh",
    "teach_ranker",
]
