"""Deep matrix factorisation: what a user took and who took an item, through dense layers into one space."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
import polars as pl
import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn
from torch.nn import functional

from ...batches import QueryBatch, RowBatch
from ...component import Options
from ...data.dataset import Dataset
from ...encoders import ItemContent
from ...features import FeatureSet
from ...histories import KEPT
from ...losses import Objective, RatingLoss, click_loss
from ...search_space import Searched
from ..base import Abilities, Learned
from ..dropout import Dropout
from ..kept import Keeping
from ..perceptron import Perceptron
from ..rating_scale import RatingScale
from ..rowwise import one_head
from .stretches import stretches

if TYPE_CHECKING:
    from ...encoders import Encoder

__all__ = ["DeepMF", "DeepMFOptions"]

SURE = 1e-6
"""A cosine counts as a probability from here to one less this."""
START = 0.3
"""Standard deviation of the first layer's vectors at the start."""


class DeepMFOptions(Options):
    layers: tuple[PositiveInt, ...] = Field(default=(128, 64), min_length=1)
    """Numbers in each dense layer of either side; the last is the space in which users and items meet."""
    length: Annotated[int, Searched(choices=(50, 100, 200))] = Field(default=KEPT, ge=1, le=KEPT)
    """How many of a user's newest events, and of an item's newest takers, are read."""
    values: bool = True
    """Rows and columns hold what events were worth, such as ratings, as shares of the largest; otherwise 1 for each item taken."""
    dropout: Annotated[float, Searched(0.0, 0.6)] = Field(default=0.0, ge=0, lt=1)
    """Share of the dense layers' numbers left out of a training step."""
    blank: float = Field(default=0.05, ge=0, lt=1)
    """Chance that a whole row, or a whole column, is left out of a training step, so that users and items without events are normal."""


class DeepMF(Learned, Keeping):
    """The cosine of a user's row and an item's column of the interaction matrix, each through dense layers (Xue et al., 2017).

    Users are what they took, so that strangers are scored by the history in the query and what happens counts at once: prefer it there to ``NCF``
    and ``BiasedMF``, which know ids. Reads no order: prefer ``SASRec`` where that tells much, ``EASE`` or ``ALS`` to be done in seconds. Learns one
    head: ``click`` (labels, or events against drawn negatives), or ``rating``, where ``rating_loss = "bce"`` is nearest to the published loss
    (which has shares of the largest rating, and drawn zeros among them).
    Items that training does not know are judged as any item whose takers are hidden.

    No cell answers for itself: a pair is judged by the user's row without this item and the item's column without this user, in training and in
    answers alike; a row holds what came before. Pairs without another taker teach nothing: an empty column would tell that the item was taken.
    Cost: the first layer adds up a vector for each entry of a row or a column: memory (items + users) × first layer, and no dense row.

    Not as published: rows and columns are brought to unit length, so that few events and many are read alike.
    """

    options: DeepMFOptions
    learns_from: ClassVar[Literal["timelines", "rows"]] = "rows"
    abilities = Abilities(gives=frozenset({"click", "rating"}), reads=frozenset({"history"}))
    kept: Tensor | None = None
    known: Tensor
    """[items] bool"""
    offsets: Tensor
    """[items + 1] where each item's column begins among ``takers`` and ``cells``."""
    takers: Tensor
    cells: Tensor
    largest: Tensor

    def check(self, dataset: Dataset, text: Encoder) -> None:
        one_head(self)

    def prepare(self, dataset: Dataset, content: ItemContent, features: FeatureSet) -> None:
        o = self.options
        self.n_items = content.n_items
        self.rows, self.columns = (_Tower(n, o.layers, o.dropout) for n in (content.n_items, max(1, dataset.n_users)))
        for name in ("takers", "cells", "keys", "by_user", "user_offsets"):
            self.register_buffer(name, torch.zeros(0), persistent=name in ("takers", "cells"))
        self.register_buffer("known", content.known.clone(), persistent=False)
        self.register_buffer("offsets", torch.zeros(content.n_items + 1, dtype=torch.int64))
        self.register_buffer("largest", torch.ones(()))
        self.scale = RatingScale()
        self._take(self.offsets, torch.zeros(0, dtype=torch.int64), torch.zeros(0))

    def warm(self, dataset: Dataset, content: ItemContent) -> None:
        """Take the columns: each pair of user and item as it was last."""
        if "rating" in self.objective.heads:
            self.scale.fit(dataset, self.objective.rating_loss)
        events = dataset.events
        values = events["value"].cast(pl.Float32).to_numpy() if "value" in events.columns else np.full(len(dataset), np.nan, dtype=np.float32)
        if np.isfinite(values).any() and np.nanmax(np.abs(values)) > 0:
            self.largest.fill_(float(np.nanmax(np.abs(values))))
        frame = pl.DataFrame({"item": dataset.item_codes, "user": dataset.user_codes, "cell": self._share(torch.tensor(values)).numpy()})
        last = frame.unique(["item", "user"], keep="last", maintain_order=True).filter(pl.col("cell") != 0)
        kept = last.group_by("item", maintain_order=True).tail(self.options.length).sort("item", "user")
        counts = np.bincount(kept["item"].to_numpy(), minlength=self.n_items)
        columns = (np.concatenate([[0], np.cumsum(counts)]), kept["user"].to_numpy(), kept["cell"].to_numpy())
        self._take(*(torch.tensor(part, device=self.largest.device) for part in columns))

    def _take(self, offsets: Tensor, takers: Tensor, cells: Tensor) -> None:
        """Columns, and their pairs turned round by user."""
        self.forget()
        n_users = self.columns.table.num_embeddings
        self.offsets, self.takers, self.cells = offsets, takers, cells
        items = torch.repeat_interleave(offsets.diff())
        self.keys = items * n_users + takers  # ascending
        self.by_user = items[takers.argsort(stable=True)]
        self.user_offsets = functional.pad(torch.bincount(takers, minlength=n_users).cumsum(0), (1, 0))

    # -- rows and columns ----------------------------------------------------------------------------------------

    def _share(self, values: Tensor) -> Tensor:
        """[...] what a cell holds; 1 where nothing is said."""
        return (values / self.largest).clamp(-1, 1).nan_to_num(1.0) if self.options.values else torch.ones_like(values)

    def _row(self, queries: QueryBatch) -> tuple[Tensor, Tensor, _Line]:
        """Codes and cells [B, T], each item once, and the rows they make."""
        codes, order = queries.history[:, -self.options.length :].sort(dim=1, stable=True)
        cells = self._share(queries.history_values[:, -self.options.length :].gather(1, order))
        again = functional.pad(codes[:, 1:] == codes[:, :-1], (0, 1))
        cells = cells * ((codes >= 0) & self.known[codes.clamp(min=0)] & ~again)
        codes = codes.clamp(min=0)
        total = functional.embedding_bag(codes, self.rows.table.weight, mode="sum", per_sample_weights=cells)
        return codes, cells, _Line(total, cells.double().square().sum(1), (cells != 0).sum(1))

    def _column(self, items: Tensor) -> _Line:
        """Of n items."""
        which, place = stretches(self.offsets, items)
        begins, cells = torch.searchsorted(which, torch.arange(len(items), device=items.device)), self.cells[place]
        total = functional.embedding_bag(self.takers[place], self.columns.table.weight, begins, mode="sum", per_sample_weights=cells)
        square = torch.zeros(len(items), dtype=torch.float64, device=items.device).index_add_(0, which, cells.double().square())
        return _Line(total, square, torch.bincount(which, minlength=len(items)))

    def _own(self, users: Tensor, items: Tensor) -> Tensor:
        """[P] the cells of pairs; 0 where the column does not hold the user."""
        n_users = self.columns.table.num_embeddings
        keys = items * n_users + users
        place = torch.searchsorted(self.keys, keys).clamp(max=max(0, len(self.keys) - 1))
        if not len(self.keys):
            return self.cells.new_zeros(len(keys))
        return self.cells[place] * ((self.keys[place] == keys) & (users >= 0) & (users < n_users))

    def _pairs(self, queries: QueryBatch, query: Tensor, items: Tensor) -> tuple[_Line, _Line]:
        """[P] rows without the pair's item, and columns without its user. ``query``, ``items`` [P]."""
        codes, cells, row = self._row(queries)
        own = (cells[query] * (codes[query] == items[:, None])).sum(1)
        users = queries.users[query]
        distinct, place = items.unique(return_inverse=True)
        mine, vectors = self._own(users, items), self.columns.table(users.clamp(0, self.columns.table.num_embeddings - 1))
        return row.without(query, own, self.rows.table(items)), self._column(distinct).without(place, mine, vectors)

    def _cosine(self, row: _Line, column: _Line) -> Tensor:
        """[P], from 0 to 1"""
        cosines: Tensor = (self.rows(row) * self.columns(column)).sum(1)
        return cosines

    # -- scores --------------------------------------------------------------------------------------------------

    def score(self, queries: QueryBatch, items: Tensor | None = None) -> Tensor:
        if items is None or items.ndim == 1:
            whole = self._whole(queries)
            return whole if items is None else whole[:, items]
        row, column = self._pairs(queries, torch.repeat_interleave(torch.full((len(items),), items.shape[1], device=items.device)), items.ravel())
        return self._cosine(row, column).reshape(items.shape)

    def _whole(self, queries: QueryBatch) -> Tensor:
        """[B, items]; pairs that the row or the column holds are taken out of it and judged again."""
        codes, cells, row = self._row(queries)
        scores: Tensor = self.rows(row) @ self.likeness().T
        n_users = self.columns.table.num_embeddings
        there = ((queries.users >= 0) & (queries.users < n_users)).nonzero().ravel()
        who, pair = stretches(self.user_offsets, queries.users[there])
        query, place = cells.nonzero(as_tuple=True)
        held = torch.cat([query * self.n_items + codes[query, place], there[who] * self.n_items + self.by_user[pair]]).unique()
        query, items = held // self.n_items, held % self.n_items
        row, column = self._pairs(queries, query, items)
        scores[query, items] = self._cosine(row, column)
        return scores

    def likeness(self) -> Tensor:
        """[items, width]; kept while nothing learns."""
        kept, began = self.kept, self.changes
        if kept is not None and self.may_keep():
            return kept
        vectors: Tensor = self.columns(self._column(torch.arange(self.n_items, device=self.offsets.device)))
        self.keep(vectors, began)
        return vectors

    def clicks(self, queries: QueryBatch, items: Tensor) -> Tensor:
        return self.score(queries, items).clamp(SURE, 1 - SURE).logit()

    def ratings(self, queries: QueryBatch, items: Tensor) -> Tensor:
        kind = self.objective.rating_loss
        return self.scale.rating(kind, self._raw(self.score(queries, items), kind))

    def _raw(self, cosine: Tensor, kind: RatingLoss) -> Tensor:
        """[...] the number that stands for a cosine where ratings are learnt: the cosine is the share of the scale."""
        if kind == "mse":
            return (cosine - 0.5) * (self.scale.levels[-1] - self.scale.levels[0])
        return cosine.clamp(SURE, 1 - SURE).logit()

    def reasons(self, queries: QueryBatch, items: Tensor) -> dict[str, Tensor]:
        return {"history": self.score(queries, items)}

    # -- training ------------------------------------------------------------------------------------------------

    def loss(self, batch: RowBatch, objective: Objective) -> dict[str, Tensor]:
        row, column = self._pairs(batch.queries, torch.arange(len(batch), device=batch.items.device), batch.items)
        weights = batch.weights * (column.count > 0)
        if self.training and self.options.blank:
            row, column = row.blanked(self.options.blank), column.blanked(self.options.blank)
        cosine = self._cosine(row, column)
        head = objective.first()
        if head == "click":
            told, out = ~batch.labels.isnan(), click_loss(cosine.clamp(SURE, 1 - SURE).logit(), batch.labels, weights)
        else:
            told, out = ~batch.values.isnan(), self.scale.loss(objective.rating_loss, self._raw(cosine, objective.rating_loss), batch.values, weights)
        # a mean over all pairs, also those that teach nothing: batches hold unlike shares of them, and small ones are to add up to a large one
        return {head: out * weights[told].sum() / batch.weights[told].sum().clamp(min=1e-12)}

    # -- what comes later ----------------------------------------------------------------------------------------

    def add_items(self, content: ItemContent) -> None:
        more = content.n_items - self.n_items
        self.n_items, self.known = content.n_items, content.known.to(self.known.device)
        self.rows.grow(more)
        self._take(functional.pad(self.offsets, (0, more), value=int(self.offsets[-1])), self.takers, self.cells)

    def load_state(self, state: dict[str, Tensor]) -> None:
        self.columns.grow(state["columns.table.weight"].shape[0] - self.columns.table.num_embeddings)  # users may have come since
        self.scale.fit_to(state, "scale.")
        self._take(state["offsets"], state["takers"], state["cells"])
        super().load_state(state)


@dataclass(frozen=True)
class _Line:
    """N rows, or columns, as the first layer sees them before they are brought to unit length."""

    total: Tensor
    """[N, first layer] the layer's vectors, each times its cell."""
    square: Tensor
    """[N] float64, the squared length: exact enough to take a cell out of it again."""
    count: Tensor
    """[N] cells that are not 0."""

    def without(self, place: Tensor, cell: Tensor, vector: Tensor) -> _Line:
        """The lines at ``place`` [P], each without one ``cell`` [P] of the layer's ``vector`` [P, first layer]."""
        return _Line(self.total[place] - cell[:, None] * vector, self.square[place] - cell.double().square(), self.count[place] - (cell != 0).long())

    def blanked(self, chance: float) -> _Line:
        """Some of them without any cell, at random."""
        return replace(self, count=self.count * (torch.rand(len(self.count), device=self.count.device) >= chance))


class _Tower(nn.Module):
    """Lines to unit vectors, none of their numbers negative."""

    def __init__(self, rows: int, layers: tuple[int, ...], dropout: float) -> None:
        super().__init__()
        self.table, self.bias = nn.Embedding(rows, layers[0]), nn.Parameter(torch.zeros(layers[0]))
        nn.init.normal_(self.table.weight, std=START)
        self.drop, self.rest = Dropout(dropout), Perceptron(*layers, dropout=dropout)

    def forward(self, lines: _Line) -> Tensor:
        """[N, width]"""
        x = lines.total / lines.square.clamp(min=1e-12).sqrt().float()[:, None]
        x = torch.where(lines.count[:, None] > 0, x, 0.0) + self.bias
        return functional.normalize(self.rest(self.drop(x.relu())), dim=-1)

    def grow(self, more: int) -> None:
        """Vectors for others, who stand in no line yet. A negative number takes some away."""
        table = functional.pad(self.table.weight.detach(), (0, 0, 0, more))
        self.table = nn.Embedding.from_pretrained(table, freeze=False)
