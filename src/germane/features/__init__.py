"""Context to tensors: one file for each kind of context. ``__all__`` is the registry of ``[features] use``."""

from .base import Encoded, Feature, FeatureSet, Moments
from .categorical import Categories
from .numeric import Numbers
from .place import Place
from .time import Time

__all__ = ["Categories", "Encoded", "Feature", "FeatureSet", "Moments", "Numbers", "Place", "Time"]
