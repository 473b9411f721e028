"""Known data sets. ``__all__`` is the registry of ``[data] use``."""

from .movielens import MovieLens100K

__all__ = ["MovieLens100K"]
