"""How a live query is read: ids to codes, contexts and words to numbers; what is unknown is left out and noted."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import polars as pl
import torch

from . import times
from .batches import QueryBatch, columns_of, query_batch, words_of
from .catalogue import Catalogue, unknown
from .data import Dataset
from .data.filters import parse as parse_filter
from .encoders import Encoder, Spelling, Words
from .errors import ConfigError, FetchError, QueryError, nearest
from .features import FeatureSet
from .features.base import TIME
from .histories import Histories
from .people import People
from .types import Event, Note, Query

__all__ = ["QueryReader", "moment_types"]


_log = logging.getLogger(__name__)


class QueryReader:
    """Reads queries as training and evaluation read rows of the event table."""

    def __init__(
        self, schema: Dataset, features: FeatureSet, catalogue: Catalogue, people: People, text: Encoder, spelling: Spelling | None = None
    ) -> None:
        self.features, self.catalogue, self.people, self.text, self.spelling = features, catalogue, people, text, spelling
        self.encoding: AbstractContextManager[Any] = nullcontext() if text.in_parallel else threading.Lock()
        """Held while texts are encoded."""
        self.columns, self.kinds = schema.columns, dict(schema.types)
        self.types = {TIME: "number", **moment_types(schema)}
        self.has_times = schema.has_times
        self.read_columns = [TIME, *features.names] if schema.has_times else features.names

    def read(
        self, queries: Sequence[Query], histories: Histories, now: float, length: int, notes: list[list[Note]], words: Words | None = None
    ) -> QueryBatch:
        """``now``: the time of queries that name none; ``length``: how many of the newest events are read; ``notes``: added to, by query;
        ``words``: of the queries, where they were read before.

        Where the data has no times, places stand for them, as in ``EventTable``.
        """
        names = self.features.names
        users, moments, contexts, taken, event_contexts = [], [], [], [], []
        for query, told in zip(queries, notes, strict=True):
            users.append(self.people.codes.get(query.user, -1) if query.user is not None else -1)
            self._check_history(query)
            history = self._history(query, histories, told)
            moments.append(times.parse(query.time if query.time is not None else now) if self.has_times else float(len(history)))
            contexts.append({TIME: moments[-1], **self.context(query.context, told)})
            kept = []
            for place, (item, event) in list(enumerate(history))[-length:]:
                when = float(place) if not self.has_times else times.parse(event.time) if event.time is not None else moments[-1]
                kept.append((item, when, event.value))
                event_contexts.append({TIME: when, **{k: v for k, v in event.context.items() if k in names}})
            taken.append(kept)
        return query_batch(
            users,
            moments,
            columns_of(contexts, self.types, self.read_columns),
            taken,
            columns_of(event_contexts, self.types, self.read_columns) if event_contexts else pl.DataFrame(),
            self.words(queries, notes) if words is None else words,
            self.features,
            self.people.moments[torch.tensor(users, dtype=torch.int64)],
            length,
        )

    def _history(self, query: Query, histories: Histories, notes: list[Note]) -> list[tuple[int, Event]]:
        """(item code, event) of what the query tells, or else of what is stored."""
        stored = histories.of(query.user) if query.user is not None else []
        if query.user is not None and query.user not in self.people.codes and not stored:
            notes.append(Note("unknown_user", f"user {query.user!r} is not known: the answer rests on the query alone."))
        told = query.history if query.history is not None else stored
        notes += unknown("item", (event.item for event in told if event.item not in self.catalogue.codes), " in the history")
        return [(self.catalogue.codes[event.item], event) for event in told if event.item in self.catalogue.codes]

    def context(self, given: Mapping[str, Any], notes: list[Note]) -> dict[str, Any]:
        """The same, its names known and its numbers numbers; values that training never saw are noted."""
        names = self.features.names
        for name, value in given.items():
            if name not in names:
                if name in self.columns.moment:
                    continue
                raise QueryError(
                    f"context name {name!r} is not known; this model knows {', '.join(names) or 'none'}.{nearest(name, names)}", f"context.{name}"
                )
            if self._holds_numbers(name):
                _check_number(name, value, "context")
            elif self.features.unknown(name, value):
                notes.append(Note("unknown_context_value", f"context {name} = {value!r} was never seen in training; left out."))
        return dict(given)

    def check(self, query: Query) -> None:
        """Refuse what no answer can be given to."""
        self.context(query.context, [])
        self._check_history(query)
        if query.filter is not None:
            parse_filter(query.filter, self.catalogue.items)

    def _check_history(self, query: Query) -> None:
        """Of what the query tells; names that the model does not know are passed over there."""
        for place, event in enumerate(query.history or ()):
            for name, value in event.context.items():
                if name in self.features.names and self._holds_numbers(name):
                    _check_number(name, value, f"history[{place}].context")

    def _holds_numbers(self, name: str) -> bool:
        return self.kinds.get(name) == "number" or (name in self.columns.place and len(self.columns.place) == 2)

    def words(self, queries: Sequence[Query], notes: list[list[Note]]) -> Words:
        """What was typed. Where the encoder fails, such as an endpoint that is down or a budget that is spent, nothing was, and that is noted."""
        texts = [query.words or "" for query in queries]
        if not self.text.width or not any(texts):
            return Words.none(len(queries), self.text.width)
        for query in queries:
            self.check(query)  # nothing is sent anywhere for a query that is refused
        read = texts if self.spelling is None else [self.spelling(text) for text in texts]
        try:
            with self.encoding:
                words = words_of(read, self.text.encode)
        except (ConfigError, FetchError) as error:
            _log.warning("Words could not be read: %s", error)
            for typed, told in zip(texts, notes, strict=True):
                if typed:
                    told.append(Note("words_unread", "the words could not be read just now: the answer rests on the rest of the query."))
            return Words.none(len(queries), self.text.width)
        for typed, corrected, told in zip(texts, read, notes, strict=True):
            if typed != corrected:
                told.append(Note("corrected_words", f"words {typed!r} were read as {corrected!r}."))
        return words


def moment_types(dataset: Dataset) -> dict[str, str]:
    """The types of all that may describe a moment."""
    found: dict[str, str] = {TIME: "time"} if dataset.has_times else {}
    found |= {name: dataset.types.get(name, "category") for name in dataset.columns.context}
    place = dataset.columns.place
    return found | (dict.fromkeys(place, "place") if len(place) == 2 else dict.fromkeys(place, "category"))


def _check_number(name: str, value: Any, at: str) -> None:
    try:
        number = value is None or (not isinstance(value, bool) and np.isfinite(float(value)))
    except (TypeError, ValueError):
        number = False
    if not number:
        raise QueryError(f"{at} {name} = {value!r} is not a number.", f"{at}.{name}")
