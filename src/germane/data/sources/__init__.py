"""Known sources: published data sets whose own files are turned into the three tables. ``__all__`` is the registry of ``[data] use``."""

from .base import Source
from .beauty import Beauty
from .comoda import LDOSCoMoDa
from .frappe import Frappe
from .games import Games
from .lastfm import LastFM
from .movielens import MovieLens100K

__all__ = ["MovieLens100K", "Beauty", "Games", "Frappe", "LDOSCoMoDa", "LastFM", "Source"]
