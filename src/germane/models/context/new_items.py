"""How high items stand that nobody took yet: a stated share of the places in lists."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["PLACES", "NewItems", "lift"]

PLACES = 10
"""Of the list that the share speaks of."""
BELOW, SLIGHTLY = 100.0, 1e-2
"""Of scores: what stands where nothing is left, below all others; by how much one is to pass another."""
CROWDED = 0.1
"""Of lists that one new item stands in, at most, on average: a single new item is not shown to everyone."""


class NewItems(nn.Module):
    """One number that is added to the score of every new item, so that of the places in lists of ten the stated share is theirs, on average.

    Whoever's history speaks for new items gets more of them, others fewer. With the same number for all, the order among new items stays as it
    is and so does that among the known. A fixed place in every list costs more: see LOG.md. Cost of settling: that of scoring some queries.
    """

    lift: Tensor

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share
        self.register_buffer("lift", torch.zeros(()))

    def of(self, known: Tensor, items: Tensor | None) -> Tensor:
        """[items] or as ``items``: what is added to the score of each. ``known`` [catalogue] bool."""
        return self.lift * ~(known if items is None else known[items])

    def settle_lists(self, scores: Tensor, taken: tuple[Tensor, Tensor], known: Tensor) -> None:
        """The same; ``taken``: (query number, item code) of what is not shown."""
        shown = scores.detach().clone()
        shown[taken] = -torch.inf
        self.settle(shown, known)

    def settle(self, scores: Tensor, known: Tensor) -> None:
        """``scores`` [queries, items] without any lift, −inf for what is not shown; ``known`` [items] bool. Without new items: no lift."""
        new = scores[:, ~known]
        if new.shape[1] and len(new):
            self.lift.copy_(lift(scores[:, known], new, min(self.share, CROWDED * new.shape[1] / PLACES)))


def lift(known: Tensor, new: Tensor, share: float) -> Tensor:
    """What is to be added to ``new`` [queries, n], so that of the first ten places beside ``known`` [queries, m] this share is theirs.

    The c-th best new item enters a list once it passes the (11 − c)-th best of the known; how much each lacks, over all queries and c, has as its
    quantile the answer.

    >>> known = torch.arange(20.0).flip(0)[None]  # 19, 18 … 0
    >>> new = torch.tensor([[5.0, 4.0, 3.0]])
    >>> [round(lift(known, new, share).item(), 1) for share in (0.1, 0.2)]  # past 10, the tenth; the second also past 11, the ninth
    [5.0, 7.0]
    """
    low = torch.cat([known, new], dim=1).where(torch.cat([known, new], dim=1).isfinite(), 0).min() - BELOW
    best = _best(new, low)
    lacking = (_best(known, low).flip(1) - best).flatten().sort().values
    places = min(len(lacking), round(share * len(lacking)))
    if not places:  # none at all stays below whatever any list may hold
        return lacking[0] - SLIGHTLY if share else low - best.max()
    room = lacking[places] - lacking[places - 1] if places < len(lacking) else lacking.new_tensor(torch.inf)
    return lacking[places - 1] + (room / 2).clamp(max=SLIGHTLY)


def _best(scores: Tensor, low: Tensor) -> Tensor:
    """[queries, 10] the highest, the best first; ``low`` where fewer are left."""
    best = scores.topk(min(PLACES, scores.shape[1]), dim=1).values
    return nn.functional.pad(best, (0, PLACES - best.shape[1]), value=-torch.inf).maximum(low)
