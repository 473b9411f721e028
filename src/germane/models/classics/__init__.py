"""The classics, one file each."""

from .item_neighbours import ItemNeighbours
from .popular import Popular, PopularLately

__all__ = ["ItemNeighbours", "Popular", "PopularLately"]
