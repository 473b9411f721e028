"""Queries and items to scores. ``__all__`` is the registry of ``[model] use``."""

from .base import Abilities, Counted, Learned, Model, TwoSided
from .classics import ItemNeighbours, Popular, PopularLately
from .context import ContextTransformer

__all__ = ["Abilities", "ContextTransformer", "Counted", "ItemNeighbours", "Learned", "Model", "Popular", "PopularLately", "TwoSided"]
