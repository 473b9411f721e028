"""Queries and items to scores. ``__all__`` is the registry of ``[model] use``."""

from .base import Abilities, Counted, Learned, Model, TwoSided
from .classics import ALS, BPR, EASE, ContentNeighbours, ItemNeighbours, Popular, PopularLately, UserNeighbours
from .context import ContextTransformer

__all__ = [
    "ALS",
    "BPR",
    "EASE",
    "Abilities",
    "ContentNeighbours",
    "ContextTransformer",
    "Counted",
    "ItemNeighbours",
    "Learned",
    "Model",
    "Popular",
    "PopularLately",
    "TwoSided",
    "UserNeighbours",
]
