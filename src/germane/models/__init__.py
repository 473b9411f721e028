"""Queries and items to scores. ``__all__`` is the registry of ``[model] use``."""

from .base import Abilities, Counted, Learned, Model, TwoSided
from .blend import Blend
from .classics import (
    ALS,
    BPR,
    EASE,
    GRU,
    NCF,
    BiasedMF,
    ContentNeighbours,
    DCNv2,
    DeepMF,
    FactorisationMachine,
    ItemNeighbours,
    Popular,
    PopularLately,
    SASRec,
    TensorFactorisation,
    TwoEmbeddings,
    UserNeighbours,
)
from .context import ContextTransformer
from .rowwise import RowWise
from .two_stage import TwoStage

__all__ = [
    "ALS",
    "Abilities",
    "BPR",
    "BiasedMF",
    "Blend",
    "ContentNeighbours",
    "ContextTransformer",
    "Counted",
    "DCNv2",
    "DeepMF",
    "EASE",
    "FactorisationMachine",
    "GRU",
    "ItemNeighbours",
    "Learned",
    "Model",
    "NCF",
    "Popular",
    "PopularLately",
    "RowWise",
    "SASRec",
    "TensorFactorisation",
    "TwoEmbeddings",
    "TwoSided",
    "TwoStage",
    "UserNeighbours",
]
