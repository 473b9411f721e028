"""The one place where events and queries become tensors, for training, evaluation and serving alike."""

from .alike import alike_by
from .batch import Batch, Places, QueryBatch, RowBatch, Shown
from .event_table import EventTable, event_frame
from .live import columns_of, profiles, query_batch
from .rows import Rows
from .steps import Steps
from .timelines import Timelines
from .typed import Encode, own_phrases, spelling_of, typed_words, words_of

__all__ = [
    "Batch",
    "Encode",
    "EventTable",
    "Places",
    "QueryBatch",
    "RowBatch",
    "Rows",
    "Shown",
    "Steps",
    "Timelines",
    "alike_by",
    "columns_of",
    "event_frame",
    "own_phrases",
    "profiles",
    "query_batch",
    "spelling_of",
    "typed_words",
    "words_of",
]
