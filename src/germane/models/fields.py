"""The fields of a row: what is known of a user, a moment and an item, each as a vector of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ..batches import QueryBatch
from ..data.dataset import Dataset
from ..encoders import ItemContent
from ..features import FeatureSet, Moments
from .layers import silence
from .memory import memory

__all__ = ["Asked", "Fields", "Offered", "Row"]


@dataclass(frozen=True)
class Asked:
    """The query's half of a row."""

    user: Tensor
    """[..., width]"""
    moment: Tensor
    """[..., columns, width of the moment]"""
    profile: Tensor
    """[..., columns, width]"""
    history: Tensor
    """[..., T] codes, the newest last; -1 = none."""
    ages: Tensor
    """[..., T] seconds"""

    def beside(self) -> Asked:
        """A dimension more, along which items are laid."""
        return Asked(*(part[:, None] for part in vars(self).values()))

    def vectors(self) -> tuple[Tensor, ...]:
        return self.user[..., None, :], self.moment, self.profile


@dataclass(frozen=True)
class Offered:
    """The item's half."""

    item: Tensor
    """[..., width]"""
    side: Tensor
    """[..., columns, width]"""
    code: Tensor
    """[...]"""

    def __getitem__(self, index: slice) -> Offered:
        return Offered(self.item[index], self.side[index], self.code[index])

    def vectors(self) -> tuple[Tensor, ...]:
        return self.item[..., None, :], self.side


@dataclass(frozen=True)
class Row:
    """Both halves. Their leading dimensions broadcast: [B, 1, …] with [n, …] is every query with every item."""

    asked: Asked
    offered: Offered

    def fields(self) -> Tensor:
        """[..., all fields, width]"""
        parts = [*self.asked.vectors(), *self.offered.vectors()]
        lead = torch.broadcast_shapes(*(part.shape[:-2] for part in parts))
        return torch.cat([part.expand(*lead, *part.shape[-2:]) for part in parts if part.shape[-2]], dim=-2)

    def remembered(self, length: int) -> Tensor:
        """[..., 3] ``memory`` of the item among so many of the newest events."""
        return memory(self.asked.history[..., -length:], self.asked.ages[..., -length:], self.offered.code)


class Fields(nn.Module):
    """One vector for each id, category and number. What is missing or was never seen is a zero vector, so that it says nothing.

    A number's field is its direction times its value, as in factorisation machines (Rendle, 2010). A column of several values is as many fields.
    """

    side_codes: Tensor
    side_dense: Tensor

    def __init__(
        self,
        dataset: Dataset,
        content: ItemContent,
        features: FeatureSet,
        width: int,
        *,
        moment: int,
        facts: bool,
        std: float,
    ) -> None:
        """``dataset``: the training events; ``moment``: the width of a moment's vectors, 0 = not read; ``facts``: whether side features of items and
        users are read."""
        super().__init__()
        self.width, self.n_moment = width, moment
        self.users = _table(dataset.n_users + 1, width, std)  # row 0: nobody that training knows
        silence(self.users, torch.from_numpy(np.unique(dataset.user_codes)).long() + 1)
        self.items = nn.Embedding(content.n_items, width)
        nn.init.normal_(self.items.weight, std=std)
        with torch.no_grad():
            self.items.weight[~content.known] = 0
        asked, sides = features.profile, (content.side_codes.shape[1], content.side_dense.shape[1])
        self.moment = _Columns(features.n_codes, features.shape, moment, std) if moment else None
        self.profile = _Columns(asked.n_codes, asked.shape, width, std) if facts and asked is not None else None
        self.side = _Columns(content.n_side_codes, sides, width, std) if facts else None
        if self.side is not None and self.side.table is not None:
            silence(self.side.table, content.side_codes[content.known])
        self.register_buffer("side_codes", content.side_codes.clone(), persistent=False)
        self.register_buffer("side_dense", content.side_dense.clone(), persistent=False)

    @property
    def count(self) -> int:
        """Fields of a row."""
        return 2 + sum(part.n for part in (self.moment, self.profile, self.side) if part is not None)

    def asked(self, queries: QueryBatch) -> Asked:
        """Vectors [B, …]"""
        known = (queries.users >= 0) & (queries.users < self.users.num_embeddings - 1)
        user: Tensor = self.users(torch.where(known, queries.users + 1, 0))
        return Asked(user, _of(self.moment, queries.moment, user), _of(self.profile, queries.profile, user), queries.history, queries.ages)

    def offered(self, items: Tensor) -> Offered:
        """Codes [...] -> vectors [..., …]"""
        own: Tensor = self.items(items)
        return Offered(own, _of(self.side, Moments(self.side_codes[items], self.side_dense[items]), own), items)

    def grow(self, content: ItemContent) -> None:
        """Take added items: a zero vector of their own, and their side features."""
        table = self.items.weight.new_zeros(content.n_items, self.width)
        table[: self.items.num_embeddings] = self.items.weight.detach()
        self.items = nn.Embedding.from_pretrained(table, freeze=False)
        self.side_codes, self.side_dense = content.side_codes.to(table.device), content.side_dense.to(table.device)

    def fit_to(self, state: dict[str, Tensor], prefix: str) -> None:
        """Make room for as many users as the saved table holds: users may have come since."""
        rows = state[f"{prefix}users.weight"].shape[0]
        if rows != self.users.num_embeddings:
            self.users = _table(rows, self.width, 0.0)


class _Columns(nn.Module):
    def __init__(self, n_codes: int, shape: Sequence[int], width: int, std: float) -> None:
        super().__init__()
        codes, dense = shape
        self.n = codes + dense
        self.table = _table(n_codes, width, std) if codes else None
        self.directions = nn.Parameter(torch.randn(dense, width) * std) if dense else None

    def forward(self, moments: Moments) -> Tensor:
        """[..., C], [..., D] -> [..., C + D, width]"""
        parts = []
        if self.table is not None:
            parts.append(self.table(moments.codes))
        if self.directions is not None:
            parts.append(moments.dense[..., None] * self.directions)
        return torch.cat(parts, dim=-2)


def _of(columns: nn.Module | None, moments: Moments, beside: Tensor) -> Tensor:
    """[..., columns, width], or no columns."""
    if columns is None or not columns.n:
        return beside.new_zeros(*beside.shape[:-1], 0, beside.shape[-1])
    out: Tensor = columns(moments)
    return out


def _table(rows: int, width: int, std: float) -> nn.Embedding:
    table = nn.Embedding(rows, width, padding_idx=0)
    nn.init.normal_(table.weight, std=std)
    with torch.no_grad():
        table.weight[0] = 0
    return table
