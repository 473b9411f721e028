"""How much of any two items the same users took."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import torch
from torch import Tensor

__all__ = ["together"]

BLOCK = 512
"""Items whose counts with all others are taken at a time."""


def together(items: Tensor, users: Tensor, values: Tensor, n_items: int) -> Iterator[tuple[Tensor, Tensor]]:
    """For one block of items after another, their codes [b] and, [b, items], the products of what each user took of both, added up over users.

    ``items``, ``users``, ``values`` [pairs]: each pair of user and item once. Cost: the pairs of items that one user took, of all users.

    >>> [counts.tolist() for _, counts in together(torch.tensor([0, 1, 1]), torch.tensor([0, 0, 1]), torch.ones(3), 2)]
    [[[1.0, 1.0], [1.0, 2.0]]]
    """
    n_users = int(users.max()) + 1 if len(users) else 0
    takers = torch.sparse_coo_tensor(torch.stack([items, users]), values, (n_items, n_users), check_invariants=False).coalesce()
    took = takers.t().coalesce()
    for block in torch.arange(n_items).split(BLOCK):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")  # which torch goes through here
            counts = torch.sparse.mm(takers.index_select(0, block), took)
        yield block, counts.to_dense()
