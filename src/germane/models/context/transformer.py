"""``ContextTransformer``: text, identity, history, the moment and typed words in one dot product."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from ...batches import Batch, QueryBatch
from ...component import Options
from ...data.dataset import Dataset
from ...encoders import ItemContent
from ...features import FeatureSet, Moments
from ...losses import Objective, next_item
from ..base import Abilities, TwoSided
from ..layers import check_heads
from .history import HistoryTransformer, time_buckets
from .items import ItemTower
from .moment import GatedCross, MomentEncoder
from .popular import RecentPopularity

__all__ = ["ContextTransformer", "ContextTransformerOptions"]


class ContextTransformerOptions(Options):
    width: int = Field(default=64, ge=2)
    """Size of the space in which queries and items meet."""
    blocks: int = Field(default=2, ge=1)
    """Attention blocks over the history."""
    heads: int = Field(default=2, ge=1)
    """Attention heads; must divide ``width``."""
    length: int = Field(default=100, ge=1)
    """How many of the newest events are read."""
    dropout: float = Field(default=0.2, ge=0, lt=1)
    """Share of the numbers left out of each training step, against overfitting."""
    identity: bool = True
    """A trainable vector for each item that training knows."""
    identity_dropout: float = Field(default=0.1, ge=0, lt=1)
    """Chance that an item's identity is left out of a training step."""
    text: bool = True
    """Item texts, through the encoder."""
    text_width: int = Field(default=128, ge=1)
    """Width of the whitened text vectors."""
    side: bool = True
    """Side features of items."""
    profile: bool = True
    """Side features of users."""
    context: bool = True
    """The context of the moment asked about, through the gated cross."""
    history_context: bool = True
    """The context of each event of the history."""
    words: bool = True
    """What the user typed."""
    words_share: float = Field(default=0.15, ge=0, le=1)
    """Share of training targets asked for in words of their own text, where events hold no typed words."""
    content: bool = True
    """Plain similarity between an item's text and the texts of the history."""
    popularity: bool = True
    """Popularity, overall and lately, as a learned prior."""
    relative_time: bool = True
    """Attention knows how long ago each event was."""
    context_dropout: float = Field(default=0.1, ge=0, lt=1)
    """Chance that a context value goes missing in training, so that missing context is normal."""
    half_lives: tuple[float, ...] = (3.0, 30.0)
    """Half-lives, in days, of recent popularity."""


class ContextTransformer(TwoSided):
    """Score the whole catalogue for a moment: who, what before, when, in which context, and what was typed.

    Prefer it wherever items have texts or moments have context; ``ItemNeighbours`` is cheaper and close behind on small, dense data.
    Items without events are scored from their content at once; unknown users from the history in the query.
    Cost of a query: O(T² width) for a history of T events, and one product with [items, width]. Design and sources: docs/models.md.
    """

    options: ContextTransformerOptions
    abilities = Abilities(reads=frozenset({"history", "context", "text", "words", "side", "time"}), new_items=True)

    def prepare(self, dataset: Dataset, content: ItemContent, features: FeatureSet) -> None:
        o = self.options
        check_heads("ContextTransformer", o.width, o.heads)
        self.n_items = content.n_items
        self.items = ItemTower(
            content, o.width, identity=o.identity, text=o.text, side=o.side, text_width=o.text_width, identity_dropout=o.identity_dropout
        )
        self.history = HistoryTransformer(o.width, o.blocks, o.heads, o.length, o.dropout, o.relative_time)
        self.start = nn.Parameter(torch.zeros(o.width))
        self.event_moment = MomentEncoder(features.n_codes, features.shape, o.width, o.context_dropout) if o.history_context else None
        self.moment = MomentEncoder(features.n_codes, features.shape, o.width, o.context_dropout) if o.context else None
        self.gap = nn.Embedding(33, o.width, padding_idx=32) if o.context and dataset.has_times else None
        profile = features.profile
        self.profile = MomentEncoder(profile.n_codes, profile.shape, o.width) if o.profile and profile is not None and any(profile.shape) else None
        z = self.items.text_width
        self.words = nn.Linear(z, o.width, bias=False) if o.words and z else None
        self.words_weight = nn.Parameter(torch.tensor(4.0)) if o.words and z else None
        self.cross = GatedCross(o.width, o.dropout)
        self.content_weight = nn.Parameter(torch.tensor(1.0)) if o.content and z else None
        self.content_fade = nn.Parameter(torch.tensor(1.0)) if o.content and z else None
        self.bias = nn.Parameter(torch.zeros(content.n_items))
        self.recent = RecentPopularity(o.half_lives, content.n_items) if o.popularity else None
        self.recent_weight = nn.Parameter(torch.full((len(o.half_lives),), 0.3)) if o.popularity else None
        self.scale = nn.Parameter(torch.tensor(o.width**-0.5 * 4).log())
        if self.gap is not None:
            nn.init.normal_(self.gap.weight, std=0.02)
            with torch.no_grad():
                self.gap.weight[32].zero_()

    def likeness(self) -> Tensor:
        return self.items.catalogue()

    def without_context(self) -> ContextTransformer:
        return ContextTransformer(**{**self.settings(), "context": False, "history_context": False})

    def warm(self, dataset: Dataset, content: ItemContent) -> None:
        """Constants that come from training data: the whitening and the popularity snapshots."""
        self.items.whiten(content)
        if self.recent is not None:
            self.recent.fit(dataset)

    # -- queries -------------------------------------------------------------------------------------------------

    def _events(self, history: Tensor, moments: Moments, profile: Moments) -> Tensor:
        empty = history < 0
        x: Tensor = self.items(history.clamp(min=0)) * self.options.width**0.5
        if self.event_moment is not None:
            x = x + self.event_moment(moments)
        x = torch.where(empty[..., None], self.start, x)
        if self.profile is not None:  # also of those who did nothing yet
            x = x + self.profile(profile)[:, None]
        return x

    def _asked(self, moment: Moments, gap: Tensor, alone: Tensor, words: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Context vector of a moment, the same with words, and the words' z."""
        c = torch.zeros(*gap.shape, self.options.width, device=gap.device)
        if self.moment is not None:
            c = c + self.moment(moment)
        if self.gap is not None:
            c = c + self.gap(torch.where(alone, 32, time_buckets(gap)))
        typed = self.items.whitened(words) if self.words is not None else words.new_zeros(*gap.shape, 0)
        return c, c + self.words(typed) if self.words is not None else c, typed

    def _similar(self, history: Tensor) -> Tensor:
        """[B, T, z] recency-weighted mean of the texts up to each place."""
        z = self.items.z[history.clamp(min=0)] * (history >= 0)[..., None]
        fade = torch.sigmoid(self.content_fade)  # type: ignore[arg-type]
        t = history.shape[1]
        place = torch.arange(t, device=z.device)
        apart = (place[:, None] - place[None, :]).float()
        weights = torch.where(apart >= 0, fade ** apart.clamp(min=0), 0.0)
        return functional.normalize(weights @ z, dim=-1)

    def _encode(self, queries: QueryBatch) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """(h, q without words, q, h̄, typed z), each [B, ...]"""
        times = queries.times[:, None] - queries.ages.double()
        history = queries.history[:, -self.options.length :]
        cut = slice(-self.options.length, None)
        moments = Moments(queries.history_moments.codes[:, cut], queries.history_moments.dense[:, cut])
        h = self.history(self._events(history, moments, queries.profile), history < 0, times[:, cut])[:, -1]
        c, with_words, typed = self._asked(queries.moment, queries.ages[:, -1], history[:, -1] < 0, queries.words)
        mean = self._similar(history)[:, -1] if self.content_weight is not None else h.new_zeros(len(h), 0)
        return h, self.cross(h, c), self.cross(h, with_words), mean, typed

    def _similarity(self, mean: Tensor, typed: Tensor) -> Tensor:
        """[..., z] what is multiplied with the items' z: the history's texts and the typed words."""
        total = mean.new_zeros(*mean.shape[:-1], self.items.text_width)
        if self.content_weight is not None:
            total = total + self.content_weight * mean
        if self.words_weight is not None:
            total = total + self.words_weight * typed
        return total

    def _parts(self, q: Tensor, mean: Tensor, typed: Tensor) -> Tensor:
        """[..., width + z]: all that is multiplied with ``_sides`` of the items."""
        own = q * self.scale.exp()
        if not self.items.text_width:
            return own
        return torch.cat([own, self._similarity(mean, typed)], dim=-1)

    def _popularity(self, times: Tensor, items: Tensor | None) -> Tensor:
        """[B, items]"""
        prior, row = self._priors(times)
        if items is None or items.ndim == 1:
            return (prior if items is None else prior[:, items])[row]
        return prior[row[:, None], items]

    def query_vectors(self, queries: QueryBatch) -> Tensor:
        _, _, q, mean, typed = self._encode(queries)
        return torch.cat([self._parts(q, mean, typed), torch.ones(len(q), 1, device=q.device)], dim=-1)

    def item_vectors(self, items: Tensor) -> Tensor:
        """Holds the newest popularity; ``score`` reads older snapshots for older moments."""
        return torch.cat([self._sides(items), self._prior(None)[items][:, None]], dim=-1)

    def _prior(self, snapshots: Tensor | None) -> Tensor:
        """[items] as of now, or [snapshots, items]"""
        bias = self.bias * self.items.known
        if self.recent is None or self.recent_weight is None:
            return bias
        counts = self.recent.counts[-1] if snapshots is None else self.recent.counts[snapshots]
        return bias + counts @ self.recent_weight

    def score(self, queries: QueryBatch, items: Tensor | None = None) -> Tensor:
        _, _, q, mean, typed = self._encode(queries)
        vectors, z = (self.items.catalogue(), self.items.z) if items is None else (self.items(items), self.items.z[items])
        total = _product(q * self.scale.exp(), vectors) + self._popularity(queries.times, items)
        return total + _product(self._similarity(mean, typed), z) if self.items.text_width else total

    def reasons(self, queries: QueryBatch, items: Tensor) -> dict[str, Tensor]:
        h, no_words, q, mean, typed = self._encode(queries)
        vectors, scale = self.items(items), self.scale.exp()
        out = {"history": _product(h, vectors) * scale}
        if self.moment is not None or self.gap is not None:
            out["moment"] = _product(no_words - h, vectors) * scale
        if self.items.text_width:
            z = self.items.z[items]
            if self.content_weight is not None:
                out["content"] = _product(mean, z) * self.content_weight
            if self.words_weight is not None and bool((queries.words != 0).any()):
                out["words"] = _product(q - no_words, vectors) * scale + _product(typed, z) * self.words_weight
        return {**out, "popularity": self._popularity(queries.times, items)}

    # -- training ------------------------------------------------------------------------------------------------

    def loss(self, batch: Batch, objective: Objective) -> dict[str, Tensor]:
        queries = batch.queries
        history, targets = queries.history, batch.targets
        here = targets >= 0
        if not bool(here.any()):
            return {"ranking": self.scale * 0}
        states = self.history(self._events(history, queries.history_moments, queries.profile), history < 0, batch.history_times)
        h = states[here]  # [P, width]
        _, c, typed = self._asked(queries.moment[here], queries.ages[here], history[here] < 0, queries.words[here])
        mean = self._similar(history)[here] if self.content_weight is not None else h.new_zeros(len(h), 0)
        vectors = self._parts(self.cross(h, c), mean, typed)
        prior, row = self._priors(batch.target_times[here])

        def scores_of(items: Tensor) -> Tensor:
            return vectors @ self._sides(items).T + functional.embedding(row, prior[:, items])  # its gradient is cheaper than an index's

        def own(target: Tensor) -> Tensor:
            return (vectors * self._sides(target)).sum(1) + prior[row, target]

        return {"ranking": next_item(objective, self.items.known, history, targets, batch.weights, scores_of, own)}

    def _sides(self, items: Tensor) -> Tensor:
        return torch.cat([self.items(items), self.items.z[items]], dim=-1) if self.items.text_width else self.items(items)

    def _priors(self, times: Tensor) -> tuple[Tensor, Tensor]:
        """[snapshots, items] of the popularity that these times [n] knew, and which snapshot each knew, [n]."""
        if self.recent is None:
            return self._prior(None)[None], torch.zeros(len(times), dtype=torch.int64, device=times.device)
        snapshots, row = torch.unique(self.recent.snapshot(times), return_inverse=True)
        return self._prior(snapshots), row

    def add_items(self, content: ItemContent) -> None:
        self.items.grow(content)
        more = content.n_items - self.n_items
        self.bias = nn.Parameter(torch.cat([self.bias.detach(), self.bias.new_zeros(more)]))
        if self.recent is not None:
            self.recent.grow(content.n_items)
        self.n_items = content.n_items


def _product(queries: Tensor, items: Tensor) -> Tensor:
    """[B, d] with [n, d] or [B, n, d] -> [B, n]"""
    return queries @ items.T if items.ndim == 2 else torch.einsum("bd,bnd->bn", queries, items)
