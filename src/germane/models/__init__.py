"""Queries and items to scores. ``__all__`` is the registry of ``[model] use``."""

from .base import Abilities, Counted, Learned, Model, TwoSided
from .classics import GRU, ItemNeighbours, Popular, PopularLately, SASRec
from .context import ContextTransformer

__all__ = [
    "Abilities",
    "ContextTransformer",
    "Counted",
    "GRU",
    "ItemNeighbours",
    "Learned",
    "Model",
    "Popular",
    "PopularLately",
    "SASRec",
    "TwoSided",
]
