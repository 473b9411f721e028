"""Queries and items to scores. ``__all__`` is the registry of ``[model] use``."""

from .base import Abilities, Counted, Learned, Model, TwoSided
from .classics import (
    NCF,
    BiasedMF,
    DCNv2,
    FactorisationMachine,
    ItemNeighbours,
    Popular,
    PopularLately,
    TensorFactorisation,
    TwoEmbeddings,
)
from .context import ContextTransformer
from .rowwise import RowWise

__all__ = [
    "Abilities",
    "BiasedMF",
    "ContextTransformer",
    "Counted",
    "DCNv2",
    "FactorisationMachine",
    "ItemNeighbours",
    "Learned",
    "Model",
    "NCF",
    "Popular",
    "PopularLately",
    "RowWise",
    "TensorFactorisation",
    "TwoEmbeddings",
    "TwoSided",
]
