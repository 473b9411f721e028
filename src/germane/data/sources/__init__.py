"""Known sources: published data sets whose own files are turned into the three tables. ``__all__`` is the registry of ``[data] use``."""

from .base import Source
from .movielens import MovieLens100K

__all__ = ["MovieLens100K", "Source"]
