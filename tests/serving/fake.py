"""A small honest recommender: scores are how often an item was taken, lifted by words in its title and by the weather."""

from __future__ import annotations

import secrets
from types import SimpleNamespace

import numpy as np
import polars as pl

from germane import times
from germane.catalogue import Catalogue
from germane.component import Component
from germane.data.columns import Columns
from germane.errors import QueryError, nearest
from germane.histories import Histories
from germane.types import Note, Reason, Slate, SlateItem


class Count(Component):
    """The model's place."""


class Best(Component):
    """The policy's place."""


WEATHER = {"rain": "Drama", "sun": "Comedy"}
FILMS = {
    "i1": ("Rain Man", "Drama"),
    "i2": ("Top Hat", "Comedy"),
    "i3": ("Stalker", "Drama"),
    "007": ("Goldfinger", "Action"),
    "ä/β": ("Playtime", "Comedy"),
}


class FakeRecommender:
    """Follows ``Recommender``; nothing is learnt, every answer can be worked out by hand."""

    version = "fake-1"
    newest = times.parse("2026-05-01T21:00")

    def __init__(self) -> None:
        self.types = {"weather": "category", "temperature": "number"}
        self.model, self.policy = Count(), Best()
        self.columns = Columns(context=("weather", "temperature"), text=("title",), side=("genre",))
        names, films = list(FILMS), list(FILMS.values())
        self.catalogue = Catalogue(
            pl.DataFrame({"id": names, "title": [f[0] for f in films], "genre": [f[1] for f in films], "year": [1988, 1935, 1979, 1964, 1967]})
        )
        self.schema = SimpleNamespace(separators={}, timezone=None, forms={})
        self.people = SimpleNamespace(codes={"u1": 0, "u2": 1}, check=lambda rows: rows)
        self.histories = Histories()
        self.counts = dict.fromkeys(names, 0)
        self.gone: set[str] = set()
        self.observed = []
        for user, item in (("u1", "i1"), ("u2", "i1"), ("u2", "i2")):
            self.record(user, _event(item))

    def record(self, user, event):
        self.histories.append(user, event)
        if event.item in self.counts:
            self.counts[event.item] += 1

    def warm(self):
        pass

    def check(self, query):
        known = ("weather", "temperature")
        for name in query.context:
            if name not in known:
                raise QueryError(f"context name {name!r} is not known.{nearest(name, known)}", f"context.{name}")

    def recommend(self, query, n=10, *, rng=None, explore=True, explain=True, now=None):
        self.check(query)
        notes = []
        for name, value in query.context.items():
            if name == "weather" and value not in WEATHER:
                notes.append(Note("unknown_context_value", f"{name} = {value!r}"))
        history = self.histories.of(query.user) if query.history is None else query.history
        if query.user is not None and not history:
            notes.append(Note("unknown_user", query.user))
        seen = {e.item for e in history} if query.exclude_seen is not False else set()
        rows = [row for row in self.catalogue.items.iter_rows(named=True) if row["id"] not in seen | self.gone]
        parts = {row["id"]: self._parts(row, query) for row in rows}
        order = sorted(parts, key=lambda item: -sum(parts[item].values()))[:n]
        if len(order) < n:
            notes.append(Note("short_list", f"{len(order)} of {n}"))
        shown = tuple(
            SlateItem(
                item, place, sum(parts[item].values()), 1.0, tuple(Reason(k, k, w, f"because of {k}") for k, w in parts[item].items() if explain)
            )
            for place, item in enumerate(order, 1)
        )
        return Slate(secrets.token_hex(8), query.user, self.version, "Best", "exact", shown, tuple(notes))

    def recommend_many(self, queries, n=10, *, degrade=False, **options):
        return [self.recommend(query, n, **options) for query in queries]

    def _parts(self, row, query):
        words = set((query.words or "").lower().split())
        return {
            "popularity": float(self.counts[row["id"]]),
            "moment": 5.0 if WEATHER.get(query.context.get("weather")) == row["genre"] else 0.0,
            "words": 10.0 if words & set((row["title"] or "").lower().split()) else 0.0,
        }

    def add_items(self, frame, keep=lambda: None):
        keep()
        fresh = frame.filter(~pl.col("id").is_in(self.catalogue.items["id"].to_list()))
        changed = frame.filter(pl.col("id").is_in(self.catalogue.items["id"].to_list()))
        self.catalogue.items = pl.concat([self.catalogue.items, fresh], how="diagonal_relaxed")
        if changed.width > 1:
            self.catalogue.items = self.catalogue.items.update(changed, on="id")
        for item in frame["id"]:
            self.catalogue.codes.setdefault(item, len(self.catalogue.codes))
            self.counts.setdefault(item, 0)
            self.gone.discard(item)
        return fresh.height

    def remove_item(self, item):
        self.gone.add(item)

    def put_users(self, rows):
        for user in rows:
            self.people.codes.setdefault(user, len(self.people.codes))

    def forget(self, user):
        self.histories.forget(user)
        self.people.codes.pop(user, None)

    def observe(self, feedback):
        self.observed.extend(feedback)

    def similar(self, item, n=10, filter=None):
        genre = dict(self.catalogue.items.select("id", "genre").iter_rows())
        return [(other, 1.0) for other in genre if other != item and genre[other] == genre[item]][:n]

    def popular(self, n=10, filter=None, context=None):
        return sorted(((i, float(c)) for i, c in self.counts.items()), key=lambda found: -found[1])[:n]

    trending = latest = popular

    def moments(self):
        return {
            "columns": [
                {"name": "weather", "type": "category", "values": [{"value": "rain", "count": 2}, {"value": "sun", "count": 1}]},
                {"name": "temperature", "type": "number", "low": -5.0, "high": 30.0},
                {"name": "time", "type": "time", "low": 0.0, "high": float(self.newest)},
            ],
            "words": True,
            "kind": "watched",
            "example": {"user": "u1", "context": {"weather": "rain"}, "time": "2026-05-01T21:00:00", "n": 5},
        }


def _event(item):
    from germane.types import Event

    return Event(item, times.parse("2026-05-01T20:00"), "watched")


def scores(slate) -> np.ndarray:
    return np.array([shown["score"] for shown in slate["items"]])
