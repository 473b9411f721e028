"""Raw events to a ``Dataset``: three tables read, each column's meaning known, split for training and judging."""

from .columns import Columns, Rules
from .dataset import Dataset, Timelines
from .splits import ByTime, Given, LeaveLastOut, NoSplit, Random, Split, Splitter, check_no_leak

__all__ = [
    "ByTime",
    "Columns",
    "Dataset",
    "Given",
    "LeaveLastOut",
    "NoSplit",
    "Random",
    "Rules",
    "Split",
    "Splitter",
    "Timelines",
    "check_no_leak",
]
