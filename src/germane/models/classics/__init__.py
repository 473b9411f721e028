"""The classics, one file each."""

from .biased_mf import BiasedMF
from .dcn_v2 import DCNv2
from .factorisation_machine import FactorisationMachine
from .item_neighbours import ItemNeighbours
from .ncf import NCF
from .popular import Popular, PopularLately
from .tensor_factorisation import TensorFactorisation
from .two_embeddings import TwoEmbeddings

__all__ = [
    "BiasedMF",
    "DCNv2",
    "FactorisationMachine",
    "ItemNeighbours",
    "NCF",
    "Popular",
    "PopularLately",
    "TensorFactorisation",
    "TwoEmbeddings",
]
