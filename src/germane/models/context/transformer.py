"""The flagship: one model for the moment, over the whole catalogue."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ...batches import Batch, Places, QueryBatch
from ...data.dataset import Dataset
from ...encoders import ItemContent, Words
from ...features import FeatureSet, Moments
from ...losses import Objective, click_loss, drawn_beside, next_item
from ..base import Abilities, TwoSided
from ..delay_scale import DelayScale
from ..kept import Keeping
from ..layers import check_heads, product
from ..rating_scale import RatingScale
from .co_occurrence import CoOccurrence
from .encoded import Encoded
from .gap import Gap
from .history import HistoryTransformer
from .items import ItemTower
from .likeness import ContentLikeness
from .looked import LooksAgain
from .moment import GatedCross, MomentEncoder
from .new_items import NewItems
from .options import ContextTransformerOptions
from .people import PersonTower
from .prior import Prior
from .second_look import SecondLook
from .tuned import ThroughItems
from .typed import WordTower, typed_in
from .values import ValueEncoder

__all__ = ["ContextTransformer"]


class ContextTransformer(ThroughItems, LooksAgain, TwoSided, Keeping):
    """Score the whole catalogue for a moment: who, what before, when, in which context, and what was typed.

    Prefer it wherever items have texts or moments have context; ``ItemNeighbours`` is cheaper and close behind on small, dense data.
    Items without events are scored from their content at once; unknown users from the history in the query.
    Cost of a query: O(T² width) for a history of T events, and one product with [items, width]. Design and sources: docs/models.md.
    """

    options: ContextTransformerOptions
    kept: tuple[QueryBatch, Encoded] | None = None
    abilities = Abilities(
        gives=frozenset({"ranking", "click", "rating", "conversion"}),
        reads=frozenset({"history", "context", "text", "words", "side", "time"}),
        new_items=True,
        tunes=True,
    )

    def prepare(self, dataset: Dataset, content: ItemContent, features: FeatureSet) -> None:
        o = self.options
        check_heads("ContextTransformer", o.width, o.heads)
        self.n_items = content.n_items
        parts = {"identity": o.identity, "text": o.text, "side": o.side, "traits": o.side and o.content, "names": o.words and o.word_match}
        typed = typed_in(dataset)
        self.items = ItemTower(content, o.width, **parts, taught=typed is not None, text_width=o.text_width, identity_dropout=o.identity_dropout)
        self.history = HistoryTransformer(o.width, o.blocks, o.heads, o.length, o.dropout, o.relative_time, o.gated)
        self.start = nn.Parameter(torch.zeros(o.width))
        self.event_moment = MomentEncoder(features, o.width, o.context_dropout) if o.history_context else None
        self.moment = MomentEncoder(features, o.width, o.context_dropout) if o.context else None
        self.gap = Gap(o.width) if o.context and dataset.has_times else None
        profile = features.profile if o.profile else None
        self.profile = MomentEncoder(profile, o.width, whole=o.profile_dropout) if profile is not None and any(profile.shape) else None
        z = self.items.text_width
        self.person = PersonTower(dataset.n_users, torch.from_numpy(np.unique(dataset.user_codes)), o.width) if o.user_identity else None
        self.value = ValueEncoder(o.width) if o.values and dataset.columns.value is not None else None
        self.words = WordTower(z, o.width, typed if o.word_identity else None, o.identity_dropout) if o.words and z else None
        self.words_weight = nn.Parameter(torch.tensor(4.0)) if o.words and z else None
        self.cross = GatedCross(o.width, o.dropout)
        self.content = ContentLikeness(z) if o.content and self.items.fixed.shape[1] else None
        counted = o.co_occurrence, o.co_occurrence_reverse, o.co_occurrence_shrink
        self.together = CoOccurrence(*counted, content.n_items) if o.co_occurrence and "ranking" in self.objective.heads else None
        self.prior = Prior(content.n_items, o.half_lives if o.popularity and dataset.has_times else ())
        self.new = NewItems(o.new_item_share) if o.new_item_share is not None else None
        self.scale = nn.Parameter(torch.tensor(o.width**-0.5 * 4).log())
        self.delays = DelayScale() if "conversion" in self.objective.heads else None
        judged = {str(head) for head in self.objective.heads} - {"ranking"} | ({"delay"} if self.delays is not None else set())
        self.look = SecondLook(o.width, judged, content.n_items, o.dropout) if judged else None
        self.rating = RatingScale()

    def likeness(self) -> Tensor:
        return self.items.catalogue()

    def without_context(self) -> ContextTransformer:
        return ContextTransformer(**{**self.settings(), "context": False, "history_context": False})

    def warm(self, dataset: Dataset, content: ItemContent) -> None:
        """Constants that come from training data: the whitening and the popularity snapshots."""
        self.items.fit(content)
        for part in (self.prior, self.value, self.delays, self.together):
            if part is not None:
                part.fit(dataset)
        self._lend()
        if "rating" in self.objective.heads:
            self.rating.fit(dataset, self.objective.rating_loss)

    settled = ("together.new", "together.lending", "together.lenders", "together.shares")

    def settle(self, text: Tensor) -> None:
        super().settle(text)
        self._lend()

    def _lend(self, items: Tensor | None = None) -> None:
        """What is fixed of ``items`` has changed; of all where none are named."""
        if self.together is not None:
            self.together.lend(self.items.fixed, self.items.text_width, self.items.known, items)

    # -- queries -------------------------------------------------------------------------------------------------

    def _events(self, queries: QueryBatch, cut: slice) -> Tensor:
        """[B, T, width]"""
        history, moments = queries.history[:, cut], queries.history_moments
        empty = history < 0
        x: Tensor = self.items(history.clamp(min=0)) * self.options.width**0.5
        if self.event_moment is not None:
            x = x + self.event_moment(Moments(moments.codes[:, cut], moments.dense[:, cut]))
        if self.value is not None:
            x = x + self.value(queries.history_values[:, cut])
        x = torch.where(empty[..., None], self.start, x)
        if self.profile is not None:  # also of those who did nothing yet
            x = x + self.profile(queries.profile)[:, None]
        return x if self.person is None else x + self.person(queries.users)[:, None]

    def _asked(self, h: Tensor, moment: Moments, words: Words, mean: Tensor, times: Tensor, items: Tensor, ages: Tensor) -> Encoded:
        """``h`` [P, width] in its moment [P, ...]; history ``items``, ``ages`` [P, T], the newest last."""
        c = torch.zeros_like(h) if self.moment is None else self.moment(moment)
        if self.gap is not None:
            c = c + self.gap.since(items[:, -1], ages[:, -1])
        if self.words is None:
            q = self.cross(h, c)
            return Encoded(h, q, q, c, mean, h.new_zeros(len(h), 0), words, times, items, ages)
        typed = self.items.whitened(words.vectors)
        full = c + self.words(typed, words.codes)
        return Encoded(h, self.cross(h, c), self.cross(h, full), full, mean, typed, words, times, items, ages)

    def _similar(self, history: Tensor) -> Tensor:
        """[B, T, z + traits] what was read up to each place."""
        if self.content is None:
            return self.scale.new_zeros(*history.shape, 0)
        return self.content.means(self.items.fixed_of(history.clamp(min=0)) * (history >= 0)[..., None])

    def _encode(self, queries: QueryBatch) -> Encoded:
        """The last queries are kept while nothing learns: ``score`` and ``reasons`` of one request read its history once."""
        kept, began = self.kept, self.changes
        if kept is not None and kept[0] is queries and self.may_keep():
            return kept[1]
        asked = self._read(queries)
        self.keep((queries, asked), began)
        return asked

    def _read(self, queries: QueryBatch) -> Encoded:
        cut = slice(-self.options.length, None)
        history, ages = queries.history[:, cut], queries.ages[:, cut]
        h = self.history(self._events(queries, cut), history < 0, queries.times[:, None] - ages.double())[:, -1]
        return self._asked(h, queries.moment, queries.words, self._similar(history)[:, -1], queries.times, history, ages)

    def _at(self, batch: Batch, states: Tensor, places: Places) -> Encoded:
        """Each place knows the events up to it, and remembers as many as a query would."""
        history, past, row, last, times = batch.queries.history, batch.past, places.row, places.place, places.times
        t = min(self.options.length, past.shape[1]) if self.look is not None and self.options.memory else 1  # all else needs the newest event alone
        back = (past.shape[1] - history.shape[1] + last)[:, None] - torch.arange(t - 1, -1, -1, device=last.device)  # [P, T] the newest last
        items = past[row[:, None], back.clamp(min=0)].masked_fill(back < 0, -1)
        ages = (times[:, None] - batch.past_times[row[:, None], back.clamp(min=0)]).clamp(min=0).float().masked_fill(items < 0, 0)
        return self._asked(states[row, last], places.moment, places.words, self._similar(history)[row, last], times, items, ages)

    # -- scores --------------------------------------------------------------------------------------------------

    def _similarity(self, asked: Encoded) -> Tensor:
        """[P, z + traits] what is multiplied with what is fixed of the items: the history's texts and side features, and the typed words."""
        fixed = self.items.fixed.shape[1]
        total = asked.query.new_zeros(len(asked.query), fixed) if self.content is None else self.content.weighed(asked.mean)
        return total if self.words_weight is None else total + functional.pad(self.words_weight * asked.typed, (0, fixed - asked.typed.shape[1]))

    def _trusted(self, items: Tensor | None) -> Tensor:
        """[items] or as ``items``: what likeness to what was read and typed counts, against what was learned."""
        return torch.where(self.items.known if items is None else self.items.known[items], 1.0, self.options.new_item_likeness)

    def _named(self, asked: Encoded, items: Tensor | None) -> Tensor:
        """[P, items] or as ``items``: how far the very words that were typed are theirs."""
        return self.scale.new_zeros(1) if self.items.match is None else self.items.match(asked.words, items)

    def query_vectors(self, queries: QueryBatch) -> Tensor:
        """Without the very words that were typed and the counts of pairs, which are no products of vectors."""
        asked = self._encode(queries)
        return torch.cat([asked.query * self.scale.exp(), self._similarity(asked), asked.query.new_ones(len(asked.query), 1)], dim=-1)

    def item_vectors(self, items: Tensor) -> Tensor:
        """Holds the newest popularity; ``score`` reads older snapshots for older moments."""
        prior = self.prior.newest(self.items.known)[items] + (0 if self.new is None else self.new.of(self.items.known, items))
        return torch.cat([self.items(items), self.items.fixed[items] * self._trusted(items)[:, None], prior[:, None]], dim=-1)

    @property
    def known_items(self) -> Tensor:
        return self.items.known

    def score(self, queries: QueryBatch, items: Tensor | None = None) -> Tensor:
        asked = self._encode(queries)
        if self.look is not None and "ranking" not in self.objective.heads:
            judged = self._looked_over(asked, items)
            return judged if self.new is None else judged + self.new.of(self.items.known, items)
        vectors, fixed = (self.items.catalogue(), self.items.fixed) if items is None else (self.items(items), self.items.fixed[items])
        total = product(asked.query * self.scale.exp(), vectors) + self.prior.of(queries.times, self.items.known, items)
        total = total if self.new is None else total + self.new.of(self.items.known, items)
        total = total if self.together is None else total + self.together(asked.items, items)
        return total + (product(self._similarity(asked), fixed) + self._named(asked, items)) * self._trusted(items)

    def reasons(self, queries: QueryBatch, items: Tensor) -> dict[str, Tensor]:
        if self.look is not None and "ranking" not in self.objective.heads:
            judged = self._looked_over(self._encode(queries), items)
            return {"taste": judged} if self.new is None else {"taste": judged, "new": self.new.of(self.items.known, items)}
        asked = self._encode(queries)
        vectors, scale = self.items(items), self.scale.exp()
        out = {"history": product(asked.history, vectors) * scale + (0 if self.together is None else self.together(asked.items, items))}
        if self.moment is not None or self.gap is not None:
            out["moment"] = product(asked.silent - asked.history, vectors) * scale
        if self.content is not None:
            out["content"] = product(self.content.weighed(asked.mean), self.items.fixed[items]) * self._trusted(items)
        if self.words_weight is not None and bool(queries.words.typed.any()):
            alike = product(asked.typed, self.items.z[items]) * self.words_weight * self._trusted(items)
            out["words"] = product(asked.query - asked.silent, vectors) * scale + alike + self._named(asked, items) * self._trusted(items)
        if self.new is not None:
            out["new"] = self.new.of(self.items.known, items)
        return {**out, "popularity": self.prior.of(queries.times, self.items.known, items)}

    # -- training ------------------------------------------------------------------------------------------------

    def loss(self, batch: Batch, objective: Objective) -> dict[str, Tensor]:
        taken, rated, watched = batch.targets >= 0, ~batch.values.isnan() & (batch.items >= 0), ~batch.converted.isnan()
        learns = objective.heads
        shown, clicked = (batch.shown, batch.clicks) if "click" in learns else (None, torch.zeros_like(taken))
        wanted = (taken & ("ranking" in learns)) | clicked | (rated & ("rating" in learns)) | (watched & ("conversion" in learns))
        if not bool(wanted.any()) and (shown is None or not len(shown.items)):
            return dict.fromkeys(learns, self.scale * 0)
        self.items.drop()
        states = self.history(self._events(batch.queries, slice(None)), batch.queries.history < 0, batch.history_times)
        plain, named = batch.places(wanted), batch.named if "ranking" in learns else None
        places = plain if named is None else plain + named
        every = self._at(batch, states, places)
        asked = every[: len(plain)]
        told: dict[str, Tensor] = {}
        if "ranking" in learns and bool(taken.any()):
            ranked = functional.pad(taken[wanted], (0, len(places) - len(plain)), value=True)
            told["ranking"] = self._next_item(every[ranked], places[ranked], batch, objective)
        if "click" in learns and (bool(clicked.any()) or (shown is not None and len(shown.items))):
            not_taken = None if shown is None else self._at(batch, states, shown)
            told["click"] = self._clicks(asked[clicked[wanted]], not_taken, batch, objective)
        if "rating" in learns and bool(rated.any()):
            raw = self._looked(asked[rated[wanted]], batch.items[rated][:, None])["rating"][:, 0]
            told["rating"] = self.rating.loss(objective.rating_loss, raw, batch.values[rated], batch.weights[rated])
        if self.delays is not None and bool(watched.any()):
            both = self._looked(asked[watched[wanted]], batch.items[watched][:, None])
            outcome = (part[watched] for part in (batch.converted, batch.waited, batch.weights))
            told["conversion"] = self.delays.loss(both["conversion"][:, 0], both["delay"][:, 0], *outcome)
        return told

    def _next_item(self, asked: Encoded, places: Places, batch: Batch, objective: Objective) -> Tensor:
        at = places.row, places.place
        query, alike, known = asked.query * self.scale.exp(), self._similarity(asked), self.items.known
        snapshots, row = self.prior.snapshots(asked.times)

        def against(items: Tensor) -> Callable[[slice], Tensor]:
            prior = self.prior.some(snapshots[:, None], items, known)  # [snapshots, n]
            learnt, fixed = self.items(items).T, self.items.fixed_of(items).T

            def scores(part: slice) -> Tensor:
                base = functional.embedding(row[part], prior)  # its gradient is cheaper than an index's
                told = torch.addmm(torch.addmm(base, query[part], learnt), alike[part], fixed)  # apart, since what is fixed needs no gradient
                return told if self.items.match is None else self.items.match.add_to(told, asked.words[part], items)

            return scores

        def own(target: Tensor) -> Tensor:
            learnt = (query * self.items(target)).sum(1) + self.prior.some(snapshots[row], target, known)
            near: Tensor = learnt + (alike * self.items.fixed_of(target)).sum(1)
            return near if self.items.match is None else self.items.match.add_to(near, asked.words, target)

        again = self.history.blocks.checkpointed
        return next_item(objective, known, batch.queries.history, at, batch.targets[at], batch.weights[at], against, own, again)

    def _clicks(self, asked: Encoded, not_taken: Encoded | None, batch: Batch, objective: Objective) -> Tensor:
        """What was clicked, against drawn items that its stretch does not hold, or against what was shown and not clicked."""
        clicked = batch.clicks
        items, counts = batch.items[clicked][:, None], batch.weights[clicked][:, None]
        if objective.click_negatives and len(items):
            pool = torch.ones_like(self.items.known) if objective.unknown_as_negatives else self.items.known
            targets = batch.items.masked_fill(~clicked, -1)
            beside = batch.queries.users, batch.queries.history, batch.items, targets, objective.click_negatives
            drawn, clash = drawn_beside(pool.nonzero().ravel(), *beside)
            items, there = torch.cat([items, drawn], dim=1), functional.pad(~clash, (1, 0), value=True)  # [P, 1 + negatives]
            counts = counts * there * (items.shape[1] / there.sum(1, keepdim=True))  # each target weighs the same, whatever was drawn beside it
        labels = torch.zeros_like(counts)  # [P, 1 + negatives]
        labels[:, 0] = 1
        raw, labels, counts = self._looked(asked, items)["click"].flatten(), labels.flatten(), counts.flatten()
        if not_taken is not None and batch.shown is not None and len(batch.shown.items):
            raw = torch.cat([raw, self._looked(not_taken, batch.shown.items[:, None])["click"][:, 0]])
            labels, counts = functional.pad(labels, (0, len(batch.shown.items))), torch.cat([counts, batch.shown.weights])
        return click_loss(raw, labels, counts)

    @property
    def wants_vocabulary(self) -> bool:
        return self.options.text and self.options.words and self.options.word_match

    @property
    def new_item_share(self) -> float | None:
        return self.options.new_item_share

    def balance(self, queries: QueryBatch, taken: tuple[Tensor, Tensor]) -> None:
        assert self.new is not None
        self.eval()
        with torch.no_grad():
            self.new.settle_lists(self.score(queries) - self.new.of(self.items.known, None), taken, self.items.known)

    def add_items(self, content: ItemContent) -> None:
        self.forget()
        self.items.grow(content)
        self.prior.grow(content.n_items)
        self._lend(torch.arange(self.n_items, content.n_items))
        if self.look is not None:
            self.look.grow(content.n_items)
        self.n_items = content.n_items

    def change_items(self, content: ItemContent, items: Tensor) -> None:
        self.forget()
        self.items.change(content, items)
        self._lend(items)

    def load_state(self, state: dict[str, Tensor]) -> None:
        self.rating.fit_to(state, "rating.")
        if self.person is not None:
            self.person.fit_to(state["person.table.weight"].shape[0])
        if self.words is not None:
            self.words.fit_to(state.get("words.identity.weight"))
        for name, part in (("items.match.", self.items.match), ("together.", self.together)):
            if part is not None:
                part.fit_to(state, name)
        super().load_state(state)
