"""How a live query is read: ids to codes, contexts and words to numbers; what is unknown is left out and noted."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np
import polars as pl
import torch

from . import times
from .batches import QueryBatch, columns_of, query_batch, words_of
from .catalogue import Catalogue, unknown
from .data import Dataset
from .data.filters import parse as parse_filter
from .data.tables import several
from .encoders import Encoder, Spelling, Words
from .errors import ConfigError, FetchError, QueryError, nearest
from .features import FeatureSet
from .features.base import TIME
from .histories import Histories
from .people import People
from .types import Event, Note, Query, as_mapping

__all__ = ["QueryReader", "checked_length", "moment_types"]

MAX_N = 1000
_log = logging.getLogger(__name__)


class QueryReader:
    """Reads queries as training and evaluation read rows of the event table."""

    def __init__(
        self,
        schema: Dataset,
        features: FeatureSet,
        catalogue: Catalogue,
        people: People,
        text: Encoder,
        spelling: Spelling | None = None,
        reads: Collection[str] = ("context", "words"),
    ) -> None:
        """``reads``: what of a query the model does (``Abilities.reads``): what is said in vain is noted."""
        self.features, self.catalogue, self.people, self.text, self.spelling = features, catalogue, people, text, spelling
        self.reads_words, self.reads_context = "words" in reads and text.width > 0, "context" in reads
        self.separators = schema.separators
        self.encoding: AbstractContextManager[Any] = nullcontext() if text.in_parallel else threading.Lock()
        """Held while texts are encoded."""
        self.columns, self.kinds = schema.columns, dict(schema.types)
        self.types = {TIME: "number", **moment_types(schema)}
        self.has_times, self.zone = schema.has_times, schema.timezone
        self.read_columns = [TIME, *features.names] if schema.has_times else features.names

    def read(
        self,
        queries: Sequence[Query],
        histories: Histories,
        now: float,
        length: int,
        notes: list[list[Note]],
        words: Words | None = None,
        *,
        as_of: bool = False,
    ) -> QueryBatch:
        """Of queries that were checked. ``now``: the time of those that name none; ``length``: how many of the newest events are read;
        ``notes``: added to, by query; ``words``: of the queries, where they were read before; ``as_of``: of ``histories``, a query that names a time
        knows what came before it alone. A live one knows all: events may come from clocks that are ahead of the one that it was asked by.

        A bare number is an epoch, ``now`` too. Where the data has no times, places stand for them, as in ``EventTable``.
        """
        users, moments, contexts, taken, event_contexts = [], [], [], [], []
        for query, told in zip(queries, notes, strict=True):
            users.append(self.people.codes.get(query.user, -1) if query.user is not None else -1)
            self._note_history(query, told)
            before = times.parse(query.time, self.zone) if as_of and self.has_times and query.time is not None else None
            history = self._history(query, histories, told, before)
            _note_kinds(query, histories, told)
            moments.append(times.parse(now if query.time is None else query.time, self.zone) if self.has_times else float(len(history)))
            contexts.append({TIME: moments[-1], **self.context(query.context, told)})
            kept = []
            for place, (item, event) in list(enumerate(history))[-length:]:
                when = float(place) if not self.has_times else moments[-1] if event.time is None else times.parse(event.time, self.zone)
                kept.append((item, when, event.value))
                event_contexts.append({TIME: when, **self.cells(event.context)})
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

    def _history(self, query: Query, histories: Histories, notes: list[Note], before: float | None) -> list[tuple[int, Event]]:
        """(item code, event) of what the query tells, or else of what is stored, ``before`` a time where one is said."""
        stored = histories.of(query.user, before) if query.user is not None else []
        if query.user is not None and query.user not in self.people.codes and not stored:
            notes.append(Note("unknown_user", f"user {query.user!r:.80} is not known: the answer rests on the query alone."))
        told = query.history if query.history is not None else stored
        notes += unknown("item", (event.item for event in told if event.item not in self.catalogue.codes), " in the history")
        return [(self.catalogue.codes[event.item], event) for event in told if event.item in self.catalogue.codes]

    def context(self, given: Mapping[str, Any], notes: list[Note]) -> dict[str, Any]:
        """The same as training reads cells; what is left out, as training never saw it, is noted. ``check_context`` comes first."""
        read = dict(given) | self.cells(given)
        for name, value in given.items():
            if value is not None and (why := self._left_out(name, value, read)):
                code = "unknown_context_value" if self._reads(name) else "unread_context"
                notes.append(Note(code, f"context {name} {why}; left out."))
        return read

    def counted(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """What events can be counted by: the same of categories alone."""
        self.check_context(context)
        for name in (read := self.context(context, [])):
            if self._holds_numbers(name):
                raise QueryError(
                    f"context {name} is a number: events can be counted by categories only; ask for recommendations instead.", f"context.{name}"
                )
        return read

    def cells(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """What features read of it: a column of several values as lists, whether they come as one or as one text with separators."""
        read = {name: value for name, value in context.items() if name in self.features.names and value is not None}
        for name, value in read.items():
            if self.types.get(name) == "categories":
                read[name] = several(value, self.separators.get(name, "|"))
            elif isinstance(value, list | tuple) and len(value) == 1 and not self._holds_numbers(name):
                read[name] = value[0]
        return read

    def _left_out(self, name: str, value: Any, read: Mapping[str, Any]) -> str:
        """Why a value does not count; empty where it does."""
        if not self._reads(name):
            return "is not read by this model"
        if self._holds_numbers(name):
            if self.features.unknown(name, value):
                return f"= {value!r} lies on no globe: latitudes end at 90, longitudes at 360"
            missing = [other for other in self.columns.place if read.get(other) is None] if name in self.columns.place else []
            return f"is half a place: {missing[0]} is needed too" if missing else ""
        cell = read[name]
        if self.types.get(name) != "categories":
            if isinstance(cell, list | tuple):
                return f"= {value!r} is several values, and one is read"
            return f"= {value!r} was never seen in training" if self.features.unknown(name, cell) else ""
        unseen = [one for one in cell if self.features.unknown(name, one)]
        return f"= {', '.join(map(repr, unseen))} was never seen in training" if unseen else ""

    def remembered(self, event: Event) -> Event:
        """What happened as histories hold it: on the wall clock, now where no time is said, its context as training reads cells."""
        if not isinstance(event, Event):
            raise QueryError(f"{event!r:.80} is no event: give an Event, such as Event(item='i1').", "event")
        as_mapping(event.context, "context")
        self._check_event(event, "event")
        context = {name: plain(value) for name, value in event.context.items()}
        try:
            json.dumps(context)
        except (TypeError, ValueError) as error:
            raise QueryError(f"event.context holds what cannot be kept ({error}): give texts, numbers, and lists of them.", "event.context") from None
        time = times.now(self.zone) if event.time is None else times.parse(event.time, self.zone)
        value = None if event.value is None else float(event.value)
        return replace(event, time=time, value=value, context=context | self.cells(context))

    def check(self, query: Query) -> None:
        """Refuse what no answer can be given to. ``read`` and ``words`` do not look again."""
        if not isinstance(query, Query):
            raise QueryError(f"{query!r:.80} is no query: give a Query, such as Query(user='u1').", "query")
        self.check_context(query.context)
        for place, event in enumerate(query.history or ()):
            self._check_event(event, f"history[{place}]")
        if query.filter is not None:
            parse_filter(query.filter, self.catalogue.items)

    def _check_event(self, event: Event, at: str) -> None:
        """Numbers are to be numbers: what is worth and what is known of the moment."""
        for name, value in self.cells(event.context).items():
            if self._holds_numbers(name):
                _check_number(name, value, f"{at}.context")
        if event.value is not None:
            _check_number("value", event.value, at)

    def check_context(self, given: Mapping[str, Any]) -> None:
        """Names are to be known and numbers to be numbers."""
        names = self.features.names
        for name, value in given.items():
            if name not in names and name not in self.columns.moment:
                raise QueryError(
                    f"context name {name!r} is not known; this model knows {', '.join(names) or 'none'}.{nearest(name, names)}", f"context.{name}"
                )
            if name in names and self._holds_numbers(name):
                _check_number(name, value, "context")

    def _note_history(self, query: Query, notes: list[Note]) -> None:
        """Of what the query tells; names that the model does not know are passed over there, and each value left out is noted once."""
        left_out: dict[str, None] = {}
        for event in query.history or ():
            for name, value in (read := self.cells(event.context)).items():
                if self._reads(name) and (why := self._left_out(name, value, read)):
                    left_out[f"context {name} {why}; left out of the history."] = None
        notes += [Note("unknown_context_value", detail) for detail in left_out]

    def _reads(self, name: str) -> bool:
        return self.reads_context and name in self.features.names

    def _holds_numbers(self, name: str) -> bool:
        return self.kinds.get(name) == "number" or (name in self.columns.place and len(self.columns.place) == 2)

    def warm(self) -> None:
        """Read a word that nobody typed, so that the first who types does not wait for the language model. Nothing is sent anywhere."""
        if self.reads_words and not self.text.is_remote:
            self.words([Query(words="germane")], [[]], degrade=True)

    def words(self, queries: Sequence[Query], notes: list[list[Note]], *, degrade: bool = False) -> Words:
        """What was typed, of queries that were checked. ``degrade``: where the encoder fails, such as an endpoint that is down or a budget that
        is spent, nothing was, and that is noted; otherwise that is an error."""
        texts = [query.words or "" for query in queries]
        for text, told in zip(texts, notes, strict=True):
            if text and not self.reads_words:
                told.append(Note("unread_words", "words are not read by this model; left out."))
        if not self.text.width or not any(texts):
            return Words.none(len(queries), self.text.width)
        read = texts if self.spelling is None else [self.spelling(text) for text in texts]
        try:
            with self.encoding:
                words = words_of(read, self.text.encode)
        except (ConfigError, FetchError) as error:
            if not degrade:
                raise
            _log.warning("Words could not be read: %s", error)
            for typed, told in zip(texts, notes, strict=True):
                if typed:
                    told.append(Note("words_unread", "the words could not be read just now: the answer rests on the rest of the query."))
            return Words.none(len(queries), self.text.width)
        for typed, corrected, told in zip(texts, read, notes, strict=True):
            if typed != corrected:
                told.append(Note("corrected_words", f"words {typed!r} were read as {corrected!r}."))
        return words


def _note_kinds(query: Query, histories: Histories, notes: list[Note]) -> None:
    """Of kinds that are to count as seen and that no event has."""
    if isinstance(query.exclude_seen, tuple):
        known = {event.kind for event in query.history or () if event.kind} | histories.kinds().keys()
        for kind in dict.fromkeys(query.exclude_seen):
            if kind not in known:
                notes.append(Note("unknown_kind", f"exclude_seen {kind!r}: no event is of this kind.{nearest(kind, sorted(known))}"))


def plain(value: Any) -> Any:
    """NumPy's numbers, texts and arrays as Python has them.

    >>> plain(np.float32(0.5)), plain([np.int64(3)]), plain(np.array(["a"]))
    (0.5, [3], ['a'])
    """
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value


def checked_length(n: int) -> int:
    """Of a list that is asked for."""
    if isinstance(n, bool) or not isinstance(n, Integral) or not 1 <= n <= MAX_N:
        raise QueryError(f"n = {n!r}: how many items to return lies between 1 and {MAX_N:,}.", "n")
    return int(n)


def moment_types(dataset: Dataset) -> dict[str, str]:
    """The types of all that may describe a moment."""
    found: dict[str, str] = {TIME: "time"} if dataset.has_times else {}
    found |= {name: dataset.types.get(name, "category") for name in dataset.columns.context}
    place = dataset.columns.place
    return found | (dict.fromkeys(place, "place") if len(place) == 2 else dict.fromkeys(place, "category"))


def is_number(value: Any) -> bool:
    """Also as text, as queries read it."""
    try:
        return not isinstance(value, bool) and bool(np.isfinite(float(value)))
    except (TypeError, ValueError, OverflowError):
        return False


def _check_number(name: str, value: Any, at: str) -> None:
    if value is not None and not is_number(value):
        raise QueryError(f"{at} {name} = {value!r} is not a number.", f"{at}.{name}")
