"""The classics, one file each."""

from .als import ALS
from .biased_mf import BiasedMF
from .bpr import BPR
from .content_neighbours import ContentNeighbours
from .dcn_v2 import DCNv2
from .deep_mf import DeepMF
from .ease import EASE
from .factorisation_machine import FactorisationMachine
from .gru import GRU
from .item_neighbours import ItemNeighbours
from .ncf import NCF
from .popular import Popular, PopularLately
from .sasrec import SASRec
from .tensor_factorisation import TensorFactorisation
from .two_embeddings import TwoEmbeddings
from .user_neighbours import UserNeighbours

__all__ = [
    "ALS",
    "BPR",
    "BiasedMF",
    "ContentNeighbours",
    "DCNv2",
    "DeepMF",
    "EASE",
    "FactorisationMachine",
    "GRU",
    "ItemNeighbours",
    "NCF",
    "Popular",
    "PopularLately",
    "SASRec",
    "TensorFactorisation",
    "TwoEmbeddings",
    "UserNeighbours",
]
