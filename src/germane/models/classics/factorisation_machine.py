"""The factorisation machine."""

from __future__ import annotations

from torch import Tensor

from ..fields import Asked, Offered, Row
from ..rowwise import RowWise, RowWiseOptions

__all__ = ["FactorisationMachine"]


class FactorisationMachine(RowWise):
    """A weight for each field and a product for each pair of fields (Rendle, 2010).

    Scores a catalogue by one product, so it is the row model to retrieve with; ``DCNv2`` sees more than pairs and costs more.
    """

    options: RowWiseOptions
    first_order = True
    std = 0.02

    def interact(self, row: Row) -> Tensor:
        fields = row.fields()
        return 0.5 * (fields.sum(-2).square() - fields.square().sum(-2)).sum(-1)

    def pairs(self, asked: Asked, offered: Offered) -> Tensor:
        """The same as ``interact``: pairs within the query, within the item, and one product across."""
        asks, asks_alone = _pooled(asked.user, asked.moment, asked.profile)  # [B, 1, width], [B, 1]
        offers, offers_alone = _pooled(offered.item, offered.side)  # [n, width], [n]; or [B, n, …]
        across = asks[:, 0] @ offers.T if offers.ndim == 2 else (asks * offers).sum(-1)
        return across + asks_alone + offers_alone


def _pooled(own: Tensor, *columns: Tensor) -> tuple[Tensor, Tensor]:
    """[..., width] the sum of fields, and [...] the products of pairs among them."""
    total = own + sum(part.sum(-2) for part in columns)
    squares = own.square() + sum(part.square().sum(-2) for part in columns)
    return total, 0.5 * (total.square() - squares).sum(-1)
