"""Recommendations that answer the moment.

The names below are fetched on first use, so that ``import germane`` takes a fraction of a second.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import GermaneError
from .types import Event, Feedback, Query, Slate

if TYPE_CHECKING:
    from .bundle import load, save
    from .data import Dataset
    from .jobs.train import evaluate, train
    from .recommender import Recommender

__all__ = ["Dataset", "Event", "Feedback", "GermaneError", "Query", "Recommender", "Slate", "__version__", "evaluate", "load", "save", "train"]

__version__ = "0.1.0"

_LATE = {
    "Dataset": "data",
    "Recommender": "recommender",
    "evaluate": "jobs.train",
    "load": "bundle",
    "save": "bundle",
    "train": "jobs.train",
}


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module 'germane' has no attribute {name!r}")
    return getattr(import_module(f"germane.{_LATE[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
