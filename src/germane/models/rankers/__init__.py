"""Second models, which order a first one's candidates anew. ``__all__`` is the registry of ``[ranker] use``."""

from .base import Lessons, Ranker
from .boosted_trees import BoostedTrees
from .cross_network import CrossNetwork

__all__ = ["BoostedTrees", "CrossNetwork", "Lessons", "Ranker"]
