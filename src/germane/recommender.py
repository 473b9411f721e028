"""Encoders, features, a model and a policy behind a few verbs."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from . import times
from .batches import Encode, EventTable, QueryBatch, event_frame, profiles, spelling_of, typed_words
from .catalogue import MONTH, Catalogue
from .data import Dataset, Split
from .data.brought import items_of, pairs_of
from .data.tables import as_table
from .encoders import Encoder, ItemContent, NoText, Spelling, VectorCache, Vocabulary, Words
from .errors import AbilityError
from .features import Categories, Feature, FeatureSet, Numbers, Place, Time
from .histories import Histories
from .introduction import moments, parameters
from .item_reader import ItemReader
from .models import ContextTransformer, Model
from .moment_counts import MomentCounts
from .past import recall
from .people import People
from .policies import Greedy, Policy, Scored
from .query_reader import QueryReader, checked_length, moment_types
from .reasons import explained
from .sampled_lists import sampled_lists
from .types import Event, Feedback, Id, Note, Query, Slate, SlateItem, as_id

__all__ = ["Recommender"]


class Recommender:
    """What answers a moment. ``germane.train`` makes one that knows something; ``germane.load`` brings one back.

    Absent parts take the defaults: ``ContextTransformer``, no text, all features that the columns allow, ``Greedy``.
    """

    def __init__(
        self,
        model: Model | None = None,
        *,
        text: Encoder | None = None,
        features: Sequence[Feature] | None = None,
        policy: Policy | None = None,
        seed: int = 0,
        exclude_seen: bool | tuple[str, ...] = True,
    ) -> None:
        self.model = model if model is not None else ContextTransformer()
        self.text = text if text is not None else NoText()
        self.parts = list(features) if features is not None else [Time(), Categories(), Numbers(), Place()]
        self.policy = policy if policy is not None else Greedy()
        self.seed, self.exclude_seen = seed, exclude_seen
        self.version, self.histories = "untrained", Histories()
        self.schema: Dataset | None = None
        """What the data's columns mean; no events. None: not trained yet."""
        self.newest = times.Wall()
        self.spelling: Spelling | None = None
        self._moments: MomentCounts | None = None
        self.split: Split | None = None
        """How ``train`` divided the events it was given."""
        self.facts: dict[str, Any] = {}
        """What is known of its training, by the names of ``about.json``."""
        self.sections: dict[str, Any] = {}
        """What it was trained and judged by, as a config says it; files by absolute paths."""
        self._lock = threading.RLock()  # of all that answers read
        self._growing = threading.Lock()  # of the catalogue: its texts are encoded while answers go on
        self._rng = np.random.default_rng(seed)

    # -- making --------------------------------------------------------------------------------------------------

    def prepare(self, dataset: Dataset, *, bar: Callable[[int, int], None] | None = None, features: FeatureSet | None = None) -> None:
        """Fit features, encode the catalogue, give the model its sizes. ``dataset`` holds the training events only.

        ``features``: those fitted before, where something that was learnt reads their codes.
        """
        self.features = features or FeatureSet.fit(self.parts, event_frame(dataset), moment_types(dataset), dataset.separators)
        facts, places = dataset.item_facts, [Place(**part.settings()) for part in self.parts if isinstance(part, Place)] or [Place()]
        self.side = FeatureSet.fit([Categories(), Numbers(), *places], dataset.items.select(list(facts)), facts)
        user_sides = [name for name in dataset.columns.user_side if name in dataset.users.columns]
        frame = dataset.users.select(user_sides) if user_sides else pl.DataFrame()
        self.features.profile = FeatureSet.fit([Categories(), Numbers()], frame, {name: dataset.types.get(name, "category") for name in user_sides})
        self.text = self.text.anew()
        self._cache()
        known = torch.from_numpy(np.bincount(dataset.item_codes, minlength=dataset.n_items) > 0)
        items = ItemReader(dataset, self.side)
        texts = items.texts(dataset.items)
        learning = self.text.learning(texts) if self.model.abilities.tunes else None
        content = items.content(dataset.items, texts, self._vectors(texts, bar), known)
        self.spelling = spelling_of(dataset, texts, self.text)
        vocabulary = Vocabulary.of(texts, self.encode_words) if self.model.wants_vocabulary and self.text.width else None
        content = replace(content, vocabulary=vocabulary, learning=learning)
        self._settle(dataset, content)
        self.newest = times.Wall(dataset.times.max() if dataset.has_times and len(dataset) else 0.0)

    def restore(self, catalogue: Dataset, features: FeatureSet, side: FeatureSet, content: ItemContent, newest: float) -> None:
        """Take back what ``prepare`` made, from a saved run, but for the ``spelling``."""
        self.features, self.side = features, side
        self._cache()
        self._settle(catalogue, content)
        self.newest = times.Wall(newest)

    def _cache(self) -> None:
        typed = self.text.for_words
        self.encode = VectorCache().cached(self.text)
        self.encode_words = self.encode if typed is self.text else VectorCache().cached(typed)

    def _settle(self, dataset: Dataset, content: ItemContent) -> None:
        self.schema = dataset.take(np.zeros(0, dtype=np.int64))
        self.content = content
        self.catalogue = Catalogue(dataset.items)
        self.people = People(dataset.users, self.features.profile or FeatureSet([]), dataset.separators)
        self.columns, self.types = dataset.columns, dict(dataset.types)
        read = self.catalogue, self.people, self.text.for_words, self.spelling, self.model.abilities.reads
        self._reader = QueryReader(self.schema, self.features, *read)
        self._items = ItemReader(dataset, self.side)
        self.model.prepare(dataset, content, self.features)

    def take_text(self, state: dict[str, Tensor], dataset: Dataset) -> None:
        """Read texts with the language model as training left it, from now on."""
        self.text.load_state(state)
        self._cache()
        self.content = replace(self.content, text=self.encode(self._items.texts(dataset.items)), learning=None)

    def remember(self, dataset: Dataset) -> None:
        """Take these events as what users did before now: the time of the newest, held out or not. A row with the label 0 nobody did."""
        dataset = dataset.taken()
        self.catalogue.count(dataset)
        self._moments = None
        self.newest = times.Wall(dataset.times.max()) if dataset.has_times and len(dataset) else self.newest
        recall(dataset, self.histories)

    def _vectors(self, texts: list[str], bar: Callable[[int, int], None] | None = None) -> Tensor:
        return self.encode(texts, bar) if self.text.width else torch.zeros(len(texts), 0)

    def table(
        self, dataset: Dataset, *, visible: NDArray[np.int64] | None = None, words: tuple[Words, NDArray[np.int64]] | None = None
    ) -> EventTable:
        """The events of ``dataset`` as models read them, ``visible`` ones in histories. ``words``: those of ``typed``, where it was asked before."""
        known = profiles(self.features.profile or FeatureSet([]), dataset.users)
        past, typed = self.model.wants_past_moments, words or self.typed(dataset)
        return EventTable(dataset, self.features, profile=known, visible=visible, words=typed, past_moments=past)

    def typed(self, dataset: Dataset, encode: Encode | None = None) -> tuple[Words, NDArray[np.int64]] | None:
        """All that was typed at events, and each event's row among it; row 0 = nothing. None: no encoder reads it."""
        return typed_words(dataset, encode or self.encode_words, self.text.width, self.spelling) if self.text.width else None

    # -- answering -----------------------------------------------------------------------------------------------

    def warm(self) -> None:
        """Load what reads typed words, where it is not loaded yet; where it cannot be had, a warning says so."""
        self._reader.warm()

    def recommend(
        self,
        query: Query,
        n: int = 10,
        *,
        rng: np.random.Generator | None = None,
        explore: bool = True,
        explain: bool = True,
        now: float | None = None,
    ) -> Slate:
        """The best ``n`` for one moment. ``explore=False`` shows the greedy list; ``now`` is the time of queries that name none."""
        return self.recommend_many([query], n, rng=rng, explore=explore, explain=explain, now=now)[0]

    def recommend_many(
        self,
        queries: Sequence[Query],
        n: int = 10,
        *,
        rng: np.random.Generator | None = None,
        explore: bool = True,
        explain: bool = False,
        now: float | None = None,
        degrade: bool = False,
    ) -> list[Slate]:
        """A list a query. ``degrade``: words that cannot be encoded just now are left out and noted, as a service wants it; else that is an error."""
        checked_length(n)
        for query in queries:  # all of them, before any text is sent anywhere
            self.check(query)
        parts = [queries[begin : begin + 64] for begin in range(0, len(queries), 64)]
        return [slate for part in parts for slate in self._answer(part, n, rng or self._rng, explore, explain, now, degrade)]

    def check(self, query: Query) -> None:
        """Refuse a query that cannot be answered, before anything is: its context and its filter."""
        self._dataset()
        self._reader.check(query)

    def _answer(
        self, queries: Sequence[Query], n: int, rng: np.random.Generator, explore: bool, explain: bool, now: float | None, degrade: bool
    ) -> list[Slate]:
        notes: list[list[Note]] = [[] for _ in queries]
        words = self._reader.words(queries, notes, degrade=degrade)  # may take long: others are answered meanwhile
        with self._lock:
            batch = self._reader.read(queries, self.histories, self.newest if now is None else now, self.model.length, notes, words)
            self._eval()
            with torch.inference_mode():
                scores = self.model.score(batch).double().numpy()  # [B, items]
            policy = self.policy if explore else Greedy()
            slates, chosen = [], []
            for row, query in enumerate(queries):
                allowed = self._allowed(query, notes[row])
                scored = Scored(allowed, scores[row, allowed])
                choice = policy.choose(scored, n, rng)
                codes = allowed[choice.places]
                if len(codes) < n:
                    notes[row].append(Note("short_list", f"{len(codes)} items are left where {n} were asked for."))
                chosen.append((codes, choice.propensities))
            reasons = explained(self.model, batch, [codes for codes, _ in chosen]) if explain else [[()] * len(codes) for codes, _ in chosen]
            ids = self.catalogue.items["id"]
            for row, query in enumerate(queries):
                codes, propensities = chosen[row]
                shown = tuple(
                    SlateItem(ids[int(code)], place + 1, float(scores[row, code]), float(propensities[place]), reasons[row][place])
                    for place, code in enumerate(codes)
                )
                slates.append(
                    Slate(secrets.token_hex(12), query.user, self.version, type(policy).__name__, policy.propensity_kind, shown, tuple(notes[row]))
                )
            return slates

    def batch(self, queries: Sequence[Query], now: float | None = None, *, as_of: bool = False) -> QueryBatch:
        """Queries as tensors; what is unknown is left out. ``as_of``: a query that names a time does not know what is stored from then on."""
        for query in queries:
            self.check(query)
        return self._reader.read(queries, self.histories, self.newest if now is None else now, self.model.length, [[] for _ in queries], as_of=as_of)

    def _allowed(self, query: Query, notes: list[Note]) -> NDArray[np.int64]:
        """Codes that may be shown, ascending."""
        mask = self.catalogue.candidates(query, notes)
        usual = self.exclude_seen if query.candidates is None else False
        exclude = usual if query.exclude_seen is None else query.exclude_seen
        if exclude is not False:
            if query.history is not None:
                kinds = None if exclude is True else set(exclude)
                seen = {event.item for event in query.history if kinds is None or event.kind in kinds}
            else:
                seen = self.histories.seen(query.user, None if exclude is True else exclude) if query.user is not None else set()
            codes = self.catalogue.codes
            mask[[codes[item] for item in seen if item in codes]] = False
        return np.flatnonzero(mask)

    def score(self, pairs: Any, head: str | None = None, told: Callable[[int, int], object] = lambda done, of: None) -> NDArray[np.float64]:
        """What a head says of (user, item) rows of any table, under the config's column names; context columns and the time are read where present.

        ``head``: ``click`` (a probability), ``rating``, ``ranking`` (a score) or ``conversion`` (of a click); absent, the first of these it has.
        ``told`` hears how many rows of how many are done. A row with a time is asked as of then, as ``evaluate`` asks: what came later is not known.
        """
        trained, head = self.model.objective.heads, head or self.model.objective.first()
        if head != "ranking" and head not in trained:
            raise AbilityError(f"this {type(self.model).__name__} has no {head} head; it was trained for {' and '.join(trained)}.")
        frame = pairs_of(as_table(pairs, "the pairs table"), self._dataset(), self.features.names)
        contexts = {column: column.removeprefix("context:") for column in frame.columns if column.startswith("context:")}
        out = np.zeros(frame.height)
        self._eval()
        with self._lock, torch.inference_mode():
            for begin in range(0, frame.height, 256):
                rows = frame[begin : begin + 256].to_dicts()
                codes = [self.catalogue.codes.get(row["item"]) for row in rows]
                queries = [Query(row["user"], time=times.wall(row.get("time")), context={n: row[c] for c, n in contexts.items()}) for row in rows]
                asked = torch.tensor([[c if c is not None else 0] for c in codes])
                scores = self.model.predict(self.batch(queries, as_of=True), asked, head)[:, 0].double().numpy()
                out[begin : begin + len(rows)] = np.where([c is not None for c in codes], scores, np.nan)
                told(begin + len(rows), frame.height)
        return out

    def similar(self, item: Id, n: int = 10, filter: Mapping[str, Any] | None = None) -> list[tuple[str, float]]:
        """Items whose vectors point the same way, by cosine."""
        self._eval()
        with self._lock, torch.inference_mode():
            code = self.catalogue.code(item)
            own = self.model.likeness()
            if own is None and not self.content.text.any():
                name = type(self.model).__name__
                raise AbilityError(f"{name} has no item vectors, and there are no texts to compare: take such as ContextTransformer, or give [text].")
            vectors = own if own is not None else self.content.text
            lengths = torch.linalg.vector_norm(vectors, dim=-1).clamp(min=1e-12)  # the catalogue is not copied
            scores = (vectors @ vectors[code] / (lengths * lengths[code])).double().numpy()
            scores[code] = -np.inf
            return self.catalogue.top(scores, checked_length(n), filter)

    def popular(self, n: int = 10, filter: Mapping[str, Any] | None = None, context: Mapping[str, Any] | None = None) -> list[tuple[str, float]]:
        """What was taken most; with ``context``, in such moments."""
        with self._lock:
            return self.catalogue.popular(checked_length(n), filter, self._counted(context))

    def trending(self, n: int = 10, filter: Mapping[str, Any] | None = None, context: Mapping[str, Any] | None = None) -> list[tuple[str, float]]:
        """What is taken lately, against how often it is taken at all; with ``context``, in such moments."""
        with self._lock:
            return self.catalogue.trending(checked_length(n), filter, self._counted(context))

    def latest(self, n: int = 10, filter: Mapping[str, Any] | None = None, context: Mapping[str, Any] | None = None) -> list[tuple[str, float]]:
        """The newest rows of the catalogue; with ``context``, of those that were taken in such moments."""
        with self._lock:
            return self.catalogue.latest(checked_length(n), filter, self._counted(context))

    def _counted(self, context: Mapping[str, Any] | None) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        if not context:
            return None
        asked = self._reader.counted(context)
        if self._moments is None:
            self._moments = MomentCounts(self.histories, self.columns.moment)
        return self._moments.count(asked, self.catalogue.codes, len(self.catalogue), self.newest - MONTH)

    # -- taking in -----------------------------------------------------------------------------------------------

    def add_items(self, frame: Any, keep: Callable[[], object] = lambda: None) -> int:
        """New ids of any table are scored from their content. Known ids take its columns, empty cells too, and are scored by them where training knew
        no event of theirs, else after the next training. ``keep`` is called once all is read; where it raises, all is as it was. How many are new."""
        table = as_table(frame, "the table of new items")
        with self._growing:
            held, grown = self.catalogue, self.content
            fresh, changed = held.apart(items_of(table, self._dataset(), held.items.schema), table.names)
            codes, again = self._items.reread(held, changed, grown.known)
            read = pl.concat([again, fresh], how="vertical_relaxed")
            texts = self._items.texts(read)
            if texts:
                with self._reader.encoding:
                    content = self._items.content(read, texts, self._vectors(texts))
                grown = grown.rewritten(codes, content[: len(codes)]).extended(content[len(codes) :])
            keep()
            with self._lock:
                if fresh.height:
                    self.model.add_items(grown)
                if len(codes):
                    self.model.change_items(grown, codes)
                self.content = grown
                if self.spelling is not None:
                    self.spelling.learn(texts)
                held.add(fresh, changed)
                if texts and self.model.wants_balance and len(self.histories):
                    self.model.balance(*sampled_lists(self._reader, self.histories, held, self.exclude_seen, self.newest, self.model.length))
            return fresh.height

    def put_users(self, rows: Mapping[str, Mapping[str, Any]]) -> None:
        """Columns by user: those that the model reads (``user_side``) count from the next answer on; the others are not kept."""
        with self._lock:
            self.people.put(rows)

    def forget(self, user: Id) -> None:
        """Answers know nothing of this user from now on."""
        with self._lock:
            user, self._moments = as_id(user, "user"), None
            self.histories.forget(user)
            self.people.forget(user)
            self.catalogue.forget(user)

    def remove_item(self, item: Id) -> None:
        with self._lock:
            self.catalogue.remove(item)

    def record(self, user: Id, event: Event) -> None:
        """Something happened: the user's next answer knows it."""
        with self._lock:
            self.histories.append(user := as_id(user, "user"), kept := self._reader.remembered(event))
            if self._moments is not None:
                self._moments.add(kept)
            self.catalogue.took(event.item, user)

    def observe(self, feedback: Feedback | Sequence[Feedback]) -> None:
        """What came back for shown items: the policy learns, if it is one that does."""
        with self._lock:
            self.policy.update([feedback] if isinstance(feedback, Feedback) else list(feedback))

    @contextmanager
    def still(self) -> Iterator[None]:
        """Nothing of it changes meanwhile: who adds, records or asks waits."""
        with self._growing, self._lock:
            yield

    # -- telling -------------------------------------------------------------------------------------------------

    def moments(self) -> dict[str, Any]:
        """What moments it knows: names, values with counts, ranges, the kind of event that a choice is, and an example request."""
        with self._lock:
            return moments(self.features, self.histories, self.newest, typed=self._reader.reads_words, target=self._dataset().rules.target)

    def parameters(self) -> dict[str, int]:
        return parameters(self.model, self.text)

    def _dataset(self) -> Dataset:
        if self.schema is None:
            raise AbilityError("this recommender is not trained: call germane.train, or germane.load a run.")
        return self.schema

    def _eval(self) -> None:
        self._dataset()
        if isinstance(self.model, torch.nn.Module):
            self.model.eval()
