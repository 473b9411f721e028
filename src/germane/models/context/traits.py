"""Side features as fixed vectors: items are alike as far as the ones they share are rare."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["Traits"]

WIDEST = 128


class Traits(nn.Module):
    """A fixed vector of each code of side features, as long as the code is rare (idf); an item's is the sum of its codes', of unit length.

    Up to 128 codes each has an axis of its own, so that products are exact; above, codes get random signs (Johnson and Lindenstrauss 1984;
    Achlioptas 2003, doi 10.1016/S0022-0000(03)00025-4), which keeps products within about .09. Nothing here is trained, so that it holds for
    items that nobody took as it does for the others.

    >>> codes = torch.tensor([[1, 2], [1, 3], [1, 0], [0, 0]])  # 0 = missing
    >>> traits = Traits(n_codes=4)
    >>> traits.fit(codes, known=torch.tensor([True, True, True, True]))
    >>> [round(alike, 2) for alike in (traits(codes) @ traits(codes)[0]).tolist()]  # what all have says little
    [1.0, 0.06, 0.24, 0.0]
    """

    vectors: Tensor

    def __init__(self, n_codes: int) -> None:
        super().__init__()
        self.register_buffer("vectors", torch.zeros(n_codes, min(n_codes - 1, WIDEST)))

    @property
    def width(self) -> int:
        return self.vectors.shape[1]

    def fit(self, codes: Tensor, known: Tensor) -> None:
        """``codes`` [items, C], 0 = missing; rarity is counted over the ``known`` [items] bool."""
        n, width = self.vectors.shape
        seen = codes[known] if bool(known.any()) else codes
        rarity = ((len(seen) + 1) / (torch.bincount(seen.flatten(), minlength=n) + 1)).log()
        if width == n - 1:
            axes = torch.eye(width)
        else:
            generator = torch.Generator().manual_seed(0)  # part of what the vectors mean, whatever the seed of a run
            axes = (torch.randint(2, (n - 1, width), generator=generator) * 2 - 1) * width**-0.5
        self.vectors[1:] = axes * rarity[1:, None]

    def forward(self, codes: Tensor) -> Tensor:
        """[items, C] -> [items, width], unit length; zero where nothing is known."""
        return nn.functional.normalize(nn.functional.embedding_bag(codes.int(), self.vectors, mode="sum", padding_idx=0), dim=-1)
