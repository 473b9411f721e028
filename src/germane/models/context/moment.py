"""The moment: what the context of the event to be predicted does to a query."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from ...features import Moments
from ..dropout import Dropout

__all__ = ["GatedCross", "MomentEncoder"]


class MomentEncoder(nn.Module):
    """Context as one vector: a sum of embeddings and a linear map. No bias, so that missing context is zero."""

    def __init__(self, n_codes: int, shape: tuple[int, int], width: int, dropout: float = 0.0) -> None:
        super().__init__()
        codes, dense = shape
        self.dropout = dropout
        self.table = nn.Embedding(n_codes, width, padding_idx=0) if codes else None
        self.numbers = nn.Linear(dense, width, bias=False) if dense else None
        if self.table is not None:
            nn.init.normal_(self.table.weight, std=width**-0.5)
            with torch.no_grad():
                self.table.weight[0].zero_()
        self.width = width

    def forward(self, moments: Moments) -> Tensor:
        """[..., C], [..., D] -> [..., width]. In training, values go missing at random."""
        total = torch.zeros(*moments.codes.shape[:-1], self.width, device=moments.codes.device)
        if self.table is not None:
            codes = moments.codes
            if self.training and self.dropout:
                codes = codes * (torch.rand(codes.shape, device=codes.device) >= self.dropout)
            total = total + self.table(codes).sum(-2)
        if self.numbers is not None:
            total = total + self.numbers(moments.dense)
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
