"""The classics, one file each."""

from .gru import GRU
from .item_neighbours import ItemNeighbours
from .popular import Popular, PopularLately
from .sasrec import SASRec

__all__ = ["GRU", "ItemNeighbours", "Popular", "PopularLately", "SASRec"]
