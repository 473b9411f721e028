"""What was taken shortly after what: counts beside all that is learned of it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ...data.dataset import Dataset
from ..ragged import ragged

__all__ = ["CoOccurrence"]

BACK = 2
"""How many events on the second of a pair lies at most."""
FADE = 0.8
"""Weight of an event against the one after it: within a pair, and in the history."""
SHARPNESS = 100.0
"""a of log(1 + a z): strengths of .01 begin to count."""
MOST = 1024
"""Pairs that an item counts, the newest: popular ones have more than they need."""
AT_ONCE = 32
"""Queries whose pairs are in memory at a time: some 50 bytes each, and up to ``MOST`` for each event of a history."""
LENDERS, LENDING = 20, 1 << 15
"""Known items that a new one borrows from; those that may lend, the most taken."""
SIDE, TEMPERATURE = 0.5, 3.0
"""What likeness of side features counts beside that of texts, and by how much the most like lend more."""


class CoOccurrence(nn.Module):
    """``w log(1 + a z)``: z is the recency-weighted sum, over the items of the history, of how often each stood shortly before this one, as a
    shrunk cosine.

    Identities learn what goes with what, but a pair that few took is lost among their numbers; a count keeps it (item-to-item collaborative
    filtering; Sarwar et al. 2001). An item without training events borrows the counts of the known items that it is most like. ``w`` is given and
    not trained: a training that may choose it is after the likelihood of all items and takes less than lists of ten want.

    Cost of a query: the pairs of its history's items, at most ``MOST`` of each. Memory: at most four pairs an event.
    """

    begins: Tensor
    """[items + 1] where the pairs of each item begin."""
    beside: Tensor
    """[pairs] codes of the items that it stood before, ascending."""
    strengths: Tensor
    """[pairs]"""
    new: Tensor
    """[m] codes of the items that borrow, ascending."""
    lending: Tensor
    """[l] codes of the known items that they borrow from, ascending."""
    lenders: Tensor
    """[m, L] places among these of those that each borrows from."""
    shares: Tensor
    """[m, L] of its counts that come from each."""

    def __init__(self, weight: float, reverse: float, shrink: float, n_items: int) -> None:
        """``weight``: w; ``reverse``: what a pair counts against its order; ``shrink``: added to the denominators of cosines."""
        super().__init__()
        self.weight, self.reverse, self.shrink = weight, reverse, shrink
        self.register_buffer("begins", torch.zeros(n_items + 1, dtype=torch.int64))
        self.register_buffer("beside", torch.zeros(0, dtype=torch.int32))
        self.register_buffer("strengths", torch.zeros(0))
        self.register_buffer("new", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("lending", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("lenders", torch.zeros(0, 0, dtype=torch.int32))
        self.register_buffer("shares", torch.zeros(0, 0))

    @property
    def n_items(self) -> int:
        return len(self.begins) - 1

    def fit(self, dataset: Dataset) -> None:
        first, second, strength = pairs_of(dataset, self.reverse, self.shrink)
        n_items = dataset.n_items
        keys, where = torch.unique(first * n_items + second, return_inverse=True)
        device = self.begins.device
        self.strengths = torch.zeros(len(keys)).index_add_(0, where, strength).to(device)
        self.beside = (keys % n_items).int().to(device)
        self.begins = torch.searchsorted(keys, torch.arange(n_items + 1) * n_items).to(device)

    def lend(self, fixed: Tensor, text_width: int, known: Tensor, items: Tensor | None = None) -> None:
        """Whom items without training events borrow from: the known ones whose texts and side features, ``fixed`` [items, text width + traits], are
        most like theirs. Those of ``items``, or all; the others borrow as they did. Cost: such items × lenders × width."""
        self.begins = functional.pad(self.begins, (0, len(known) - self.n_items), value=int(self.begins[-1]))
        asked = torch.arange(len(known), device=known.device) if items is None else items.to(known.device)
        stay, few = ~torch.isin(self.new, asked), min(LENDING, int(known.sum()))
        old = [(self.lenders[stay], self.shares[stay])] if bool(stay.any()) else []
        if not old:
            self.lending = (self.begins.diff() * known).topk(few).indices.sort().values
        new = asked[~known[asked] & fixed[asked].any(1)] if few else self.new[:0]
        weight = torch.cat([fixed.new_ones(text_width), fixed.new_full((fixed.shape[1] - text_width,), SIDE)])
        found = [(fixed[part] * weight @ fixed[self.lending].T).topk(min(LENDERS, few), dim=1) for part in new.split(1024)]
        parts = [*old, *((best.indices.int(), (TEMPERATURE * best.values).softmax(1)) for best in found)]
        self.new, order = torch.cat([self.new[stay], new]).sort()
        self.lenders, self.shares = (torch.cat(part)[order] for part in zip(*parts, strict=True)) if parts else (self.lenders[:0], self.shares[:0])

    def forward(self, history: Tensor, items: Tensor | None = None) -> Tensor:
        """[B, items], or as shared ``items`` [n], or own [B, n]; ``history`` [B, T], the newest last."""
        if items is None:
            z = self.strengths.new_zeros(len(history), self.n_items)
            for part, rows in zip(history.split(AT_ONCE), z.split(AT_ONCE), strict=True):
                touched = self._count(part, rows)
                borrowed = _borrowed(rows[:, self.lending], self.lenders, self.shares) if len(self.new) else None
                rows.view(-1)[touched] = self._worth(rows.view(-1)[touched])  # few of a large catalogue; all others stay 0
                if borrowed is not None:
                    rows[:, self.new] = self._worth(borrowed)
            return z
        distinct, back = items.unique(return_inverse=True)
        borrower, borrows = _columns(self.new, distinct)
        lenders, shares = self.lending[self.lenders[borrower[borrows]].long()], self.shares[borrower[borrows]]
        columns = torch.cat([distinct, lenders.ravel()]).unique()
        counted = self.strengths.new_zeros(len(history), len(columns))
        for part, rows in zip(history.split(AT_ONCE), counted.split(AT_ONCE), strict=True):
            self._count(part, rows, columns)
        z = counted[:, torch.searchsorted(columns, distinct)]
        if len(lenders):
            z[:, borrows] = _borrowed(counted, torch.searchsorted(columns, lenders), shares)
        return self._worth(z[:, back] if items.ndim == 1 else z.gather(1, back))

    def _worth(self, z: Tensor) -> Tensor:
        return self.weight * (SHARPNESS * z).log1p_()

    def _count(self, history: Tensor, z: Tensor, columns: Tensor | None = None) -> Tensor:
        """Add to ``z`` [B, items], or of ``columns`` [n], ascending, what training knows; returns the cells that it was added to, some twice."""
        row, place = (history >= 0).nonzero(as_tuple=True)
        codes = history[row, place]
        event, pair = ragged(self.begins[codes], self.begins[codes + 1] - self.begins[codes])
        row, beside = row[event], self.beside[pair].long()
        strength = self.strengths[pair] * (FADE ** (history.shape[1] - 1 - place))[event]
        if columns is not None:
            beside, there = _columns(columns, beside)
            row, beside, strength = row[there], beside[there], strength[there]
        cells = row * z.shape[1] + beside
        z.view(-1).index_add_(0, cells, strength)
        return cells

    def fit_to(self, state: Mapping[str, Tensor], prefix: str) -> None:
        """Make room for as much as a saved state holds."""
        for name in ("beside", "strengths", "new", "lending", "lenders", "shares"):
            setattr(self, name, torch.zeros_like(state[f"{prefix}{name}"]))


def pairs_of(dataset: Dataset, reverse: float, shrink: float) -> tuple[Tensor, Tensor, Tensor]:
    """[pairs] items, those that stood shortly behind them in a timeline, and what each such pair counts; before them it counts ``reverse`` times as
    much. No item stands beside itself.

    Events count what they weigh, and those that may be no target do not (``positive``).
    """
    order = dataset.timelines.order
    worth = (dataset.events["weight"].to_numpy().astype(np.float64) * dataset.events["positive"].to_numpy())[order]
    order, worth = order[worth > 0], worth[worth > 0]
    users, items = dataset.user_codes[order], dataset.item_codes[order]
    length = np.sqrt(np.bincount(items, weights=worth**2, minlength=dataset.n_items))
    found = []
    for apart in range(1, BACK + 1):
        a, b = items[:-apart], items[apart:]
        same = (users[:-apart] == users[apart:]) & (a != b)
        a, b, when = a[same].astype(np.int32), b[same].astype(np.int32), order[apart:][same]
        counts = (FADE ** (apart - 1) * (worth[:-apart] * worth[apart:])[same] / (length[a] * length[b] + shrink)).astype(np.float32)
        found += [(a, b, counts, when), (b, a, reverse * counts, when)][: 2 if reverse else 1]
    first, second, counts, when = (np.concatenate(part) for part in zip(*found, strict=True))
    newest = np.lexsort((-when, first))
    sizes = np.bincount(first, minlength=dataset.n_items)
    kept = newest[np.arange(len(first)) - np.repeat(np.cumsum(sizes) - sizes, sizes) < MOST]  # of each item
    return torch.from_numpy(first[kept]).long(), torch.from_numpy(second[kept]), torch.from_numpy(counts[kept])


def _columns(distinct: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
    """Where ``items`` stand in ``distinct``, ascending; and whether they do."""
    at = torch.searchsorted(distinct, items)
    there = at < len(distinct)
    at = at.where(there, 0)
    return at, there & (distinct[at] == items) if len(distinct) else there


def _borrowed(z: Tensor, lenders: Tensor, shares: Tensor) -> Tensor:
    """[B, m] of ``lenders`` [m, L], columns of ``z`` [B, n]."""
    rows = z.new_zeros(z.shape[1], -(-len(z) // 8) * 8)  # eight numbers side by side are added at once, which takes a quarter of the time
    rows[:, : len(z)] = z.T
    return functional.embedding_bag(lenders, rows, per_sample_weights=shares, mode="sum")[:, : len(z)].T
