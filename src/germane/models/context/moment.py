"""The moment: what the context of the event to be predicted does to a query."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...features import FeatureSet, Moments
from ..dropout import Dropout

__all__ = ["GatedCross", "MomentEncoder"]


class MomentEncoder(nn.Module):
    """Context as one vector: a sum of embeddings and a linear map. No bias, so that missing context is zero.

    ``dropout``: the chance that a value goes missing in training, with all that tells of it; ``whole``: that all of them do.
    """

    codes_of: Tensor
    """[C] which value each code tells of."""
    dense_of: Tensor
    """[D]"""

    def __init__(self, features: FeatureSet, width: int, dropout: float = 0.0, whole: float = 0.0) -> None:
        super().__init__()
        codes, dense = features.shape
        self.dropout, self.whole = dropout, whole
        told_by = features.told_by
        self.values = 1 + max([value for part in told_by for value in part], default=-1)
        for name, part in zip(("codes_of", "dense_of"), told_by, strict=True):
            self.register_buffer(name, torch.tensor(part, dtype=torch.int64), persistent=False)
        self.table = nn.Embedding(features.n_codes, width, padding_idx=0) if codes else None
        self.numbers = nn.Linear(dense, width, bias=False) if dense else None
        if self.table is not None:
            nn.init.normal_(self.table.weight, std=width**-0.5)
            with torch.no_grad():
                self.table.weight[0].zero_()
        self.width = width

    def forward(self, moments: Moments) -> Tensor:
        """[..., C], [..., D] -> [..., width]. In training, values go missing at random."""
        codes, dense = moments.codes, moments.dense
        if self.training and self.dropout and self.values:
            there = torch.rand(*codes.shape[:-1], self.values, device=codes.device) >= self.dropout
            there = functional.pad(there, (0, 1), value=True)  # in the last place, which is -1, what never goes missing
            codes, dense = codes * there[..., self.codes_of], dense * there[..., self.dense_of]
        total = torch.zeros(*codes.shape[:-1], self.width, device=codes.device)
        if self.table is not None:
            total = total + self.table(codes).sum(-2)
        if self.numbers is not None:
            total = total + self.numbers(dense)
        if self.training and self.whole:
            total = total * (torch.rand(*total.shape[:-1], 1, device=total.device) >= self.whole)
        return total


class GatedCross(nn.Module):
    """``q = h * (1 + g(c)) + f(h, c)``: the moment scales what the history says and adds what it says itself.

    It does not depend on the candidate, so one product still scores the whole catalogue in context. c = 0 gives back h exactly.
    After DCN-v2 (Wang et al., 2021) and FiLM (Perez et al., 2018).
    """

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.gate = nn.Linear(width, width, bias=False)
        self.right = nn.Linear(width, 2 * width, bias=False)
        self.own = nn.Linear(width, 2 * width, bias=False)
        self.out = nn.Linear(2 * width, width, bias=False)
        self.straight = nn.Linear(width, width, bias=False)
        self.drop = Dropout(dropout)
        for start in (self.gate, self.out):
            nn.init.zeros_(start.weight)

    def forward(self, h: Tensor, c: Tensor) -> Tensor:
        mixed = torch.tanh(self.own(c)) * torch.nn.functional.gelu(self.right(h)) + self.own(c)
        return cast(Tensor, h * (1 + self.gate(c)) + self.straight(c) + self.out(self.drop(mixed)))
