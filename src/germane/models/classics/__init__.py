"""The classics, one file each."""

from .als import ALS
from .bpr import BPR
from .content_neighbours import ContentNeighbours
from .ease import EASE
from .item_neighbours import ItemNeighbours
from .popular import Popular, PopularLately
from .user_neighbours import UserNeighbours

__all__ = ["ALS", "BPR", "ContentNeighbours", "EASE", "ItemNeighbours", "Popular", "PopularLately", "UserNeighbours"]
