"""A world in which the moment decides: the chance of every choice is known, and with it the best that any model can reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from ..component import Options
from ..errors import DataError, QueryError, nearest
from .base import World

if TYPE_CHECKING:
    from ..data.dataset import Dataset

__all__ = ["MomentWorld", "MomentWorldOptions"]

CONTEXT: Mapping[str, Mapping[str, float]] = {
    "daytime": {"morning": 0.2, "afternoon": 0.25, "evening": 0.4, "night": 0.15},
    "weather": {"sun": 0.5, "rain": 0.35, "snow": 0.15},
    "device": {"phone": 0.5, "tv": 0.3, "tablet": 0.2},
    "company": {"alone": 0.5, "friends": 0.25, "family": 0.25},
}
"""Names, values, and how common each value is; the four are drawn independently of each other and of the user."""

HOURS = {"morning": range(6, 12), "afternoon": range(12, 18), "evening": range(18, 23), "night": (23, 0, 1, 2, 3, 4, 5)}

GENRES: Mapping[str, tuple[str, ...]] = {
    "comedy": ("funny", "laughing", "silly", "cheerful", "witty"),
    "thriller": ("tense", "suspense", "chilling", "hunted", "secret"),
    "romance": ("tender", "lovers", "kiss", "wedding", "longing"),
    "documentary": ("true", "history", "nature", "science", "interviews"),
    "adventure": ("journey", "treasure", "explorers", "wild", "quest"),
    "horror": ("haunted", "ghost", "screaming", "cursed", "monster"),
    "music": ("songs", "concert", "dancing", "melody", "band"),
    "cooking": ("kitchen", "recipes", "tasting", "baking", "chef"),
    "sport": ("match", "champions", "race", "training", "goal"),
    "mystery": ("detective", "clue", "murder", "vanished", "riddle"),
}
"""Each genre's words: two stand in every title, and users type them."""

STYLES = ("short", "epic", "classic", "modern", "quiet", "daring", "foreign", "homemade")
SEGMENTS = 5
SLIP = 0.1
"""Share of typed words that belong to any genre rather than to that of the item taken."""
CHUNK = 4096

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


class MomentWorldOptions(Options):
    users: int = Field(default=500, ge=1)
    """How many choose."""
    items: int = Field(default=200, ge=10)
    """How many there are to choose from."""
    events: int = Field(default=30_000, ge=1)
    """How often one of them chooses."""
    moment: float = Field(default=1.3, ge=0)
    """How strongly each part of the context moves the genres (standard deviation of its effect on their logits); 0: not at all."""
    taste: float = Field(default=1.0, ge=0)
    """How strongly users differ, in genres and in styles."""
    quality: float = Field(default=1.0, ge=0)
    """How strongly items of one genre and style differ in what everyone thinks of them: not to be read from their text."""
    words: float = Field(default=0.0, ge=0, le=1)
    """Share of events at which the user typed something; adds the column ``words``."""
    missing: float = Field(default=0.0, ge=0, le=1)
    """Share of context values that were not recorded."""
    seed: int = 0
    """Decides the world and all that happens in it."""


class MomentWorld(World):
    """Users choose among all items with chances that depend on who they are and on the moment:

    ``P(item | user, moment) = softmax(taste[user]·(genre, style) + quality[item] + sum of context effects on the item's genre)``

    and what they type tells its genre, nine times in ten. Choices do not depend on earlier choices and items may be taken again, so
    ``exclude_seen = false`` belongs to judging here. Titles hold the genre, the style and two of the genre's words: new items can be placed by
    their text. Without the context, about half of the possible NDCG is out of reach. Prefer ``Checkerboard`` for a test that must come out exactly.

    >>> world = MomentWorld(users=50, items=40, events=1000)
    >>> events, items, users = world.frames()
    >>> events.columns
    ['user', 'item', 'time', 'daytime', 'weather', 'device', 'company']
    >>> world.truth(["u7"], [{"weather": "rain"}]).shape
    (1, 40)
    >>> world.best_ndcg(know_context=False) < 0.6 * world.best_ndcg()
    True

    Source: the multinomial logit of discrete choice (McFadden, 1974).
    """

    options: MomentWorldOptions

    @property
    def columns(self) -> dict[str, Any]:
        typed = {"words": "words"} if self.options.words else {}
        return {
            "user": "user",
            "item": "item",
            "time": "time",
            "context": list(CONTEXT),
            "text": ["title"],
            "side": ["genre"],
            "user_side": ["segment"],
            **typed,
        }

    def frames(self) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
        """Events (user, item, time, daytime, weather, device, company, words?), items (item, title, genre), users (user, segment)."""
        return self._frames

    def truth(
        self, users: Sequence[str], contexts: Sequence[Mapping[str, str | None]] | None = None, words: Sequence[str | None] | None = None
    ) -> Floats:
        """[queries, items] log of the true chance of each item, in the order of the items table. What a context does not say is averaged out."""
        blank: Sequence[Mapping[str, str | None]] = [{}] * len(users)
        context = pl.DataFrame(
            {name: [moment.get(name) for moment in contexts or blank] for name in CONTEXT}, schema=dict.fromkeys(CONTEXT, pl.String)
        )
        for moment in contexts or ():
            for name in moment:
                if name not in CONTEXT:
                    raise QueryError(f"this world has no context {name!r}; it has {', '.join(CONTEXT)}.{nearest(name, CONTEXT)}", "context")
        typed = pl.Series("words", list(words) if words is not None else [None] * len(users), dtype=pl.String)
        if not len(users) == context.height == len(typed):
            raise QueryError(f"{len(users)} users with {context.height} contexts and {len(typed)} words: each query needs one of each.", "context")
        return self._log_chances(*self._coded(pl.Series("user", list(users), dtype=pl.String), context, typed))

    def best_ndcg(self, events: pl.DataFrame | Dataset | None = None, k: int = 10, *, know_context: bool = True, know_words: bool = True) -> float:
        """Expected NDCG@k of ranking by the true chances: no model can expect more. Mean per user, then over users.

        ``events``: whose users, contexts and words are the queries (a table as ``frames`` gives it, or a data set such as the test part of a split);
        None = all. ``know_context=False``: the best that can be done without the context, ranking by the chances averaged over all moments.
        """
        table = self._frames[0] if events is None else _as_table(events)
        if not table.height:
            raise DataError("no events to judge: give a table with at least one row.")
        none = pl.Series([None] * table.height, dtype=pl.String)
        context = pl.DataFrame({name: table[name] if name in table.columns else none for name in CONTEXT})
        users, moments, typed = self._coded(table["user"], context, table["words"] if "words" in table.columns else none)
        discounts = 1 / np.log2(np.arange(2, min(k, self.options.items) + 2))
        values = np.empty(table.height)
        for begin in range(0, table.height, CHUNK):
            part = slice(begin, begin + CHUNK)
            true = np.exp(self._log_chances(users[part], moments[part], typed[part]))  # [q, items]
            known = self._log_chances(
                users[part],
                moments[part] if know_context else np.full_like(moments[part], -1),
                typed[part] if know_words else np.full_like(typed[part], -1),
            )
            top = np.argsort(-known, axis=1, kind="stable")[:, : len(discounts)]
            values[part] = np.take_along_axis(true, top, axis=1) @ discounts
        per_user = np.bincount(users, values) / np.maximum(np.bincount(users), 1)
        return float(per_user[np.unique(users)].mean())

    # The truth. A context acts on genres only, so P(i | u, c) = exp(own[u, i]) exp(effect[c, genre_i]) / Z[u, c], and averages over c stay cheap.

    @cached_property
    def _truth(self) -> _Truth:
        return _Truth.drawn(self.options)

    def _log_chances(self, users: Codes, moments: Codes, typed: Codes) -> Floats:
        """[q, items] from users [q], context values [q, names] and genres typed [q], where -1 is unknown."""
        truth = self._truth
        weights = np.ones((len(users), len(truth.combinations)))  # [q, combinations]
        for name, shares in enumerate(CONTEXT.values()):
            values = truth.combinations[:, name]
            said = moments[:, name, None]
            weights *= np.where(said < 0, np.array(list(shares.values()))[values], said == values)
        by_genre = weights / truth.totals[users] @ truth.effects  # [q, genres]
        chances = truth.own[users] * by_genre[:, truth.genres]  # [q, items]
        likely = np.where(typed[:, None] == truth.genres, 1 - SLIP, 0) + SLIP / len(GENRES)
        chances = np.where(typed[:, None] >= 0, chances * likely, chances)
        log: Floats = np.log(chances) - np.log(chances.sum(1, keepdims=True))
        return log

    def _coded(self, users: pl.Series, context: pl.DataFrame, typed: pl.Series) -> tuple[Codes, Codes, Codes]:
        ids = [f"u{n}" for n in range(self.options.users)]
        moments = [_codes(context[name], list(values), f"{name} value", "context") for name, values in CONTEXT.items()]
        genre_of = {word: genre for genre, words in enumerate(GENRES.values()) for word in words}
        genres = [next((genre_of[word] for word in (text or "").lower().split() if word in genre_of), -1) for text in typed.to_list()]
        return _codes(users, ids, "user", "user"), np.stack(moments, axis=1), np.array(genres, dtype=np.int64)

    @cached_property
    def _frames(self) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
        options, truth = self.options, self._truth
        rng = np.random.default_rng([options.seed, 1])
        users = rng.integers(0, options.users, options.events)
        moments = np.stack([rng.choice(len(v), options.events, p=list(v.values())) for v in CONTEXT.values()], axis=1)
        items = np.empty(options.events, dtype=np.int64)
        for begin in range(0, options.events, CHUNK):
            part = slice(begin, begin + CHUNK)
            reached = np.exp(self._log_chances(users[part], moments[part], np.full(len(users[part]), -1))).cumsum(1)
            items[part] = np.minimum((reached < rng.random((len(reached), 1))).sum(1), options.items - 1)

        daytimes = list(CONTEXT["daytime"])
        hours = np.array([rng.choice(HOURS[daytimes[code]]) for code in moments[:, 0]])
        seconds = rng.integers(0, 90, options.events) * 86400 + hours * 3600 + rng.integers(0, 3600, options.events)
        start = datetime(2026, 1, 5)
        recorded = rng.random(moments.shape) >= options.missing
        table: dict[str, Any] = {
            "user": [f"u{code}" for code in users],
            "item": [f"i{code}" for code in items],
            "time": [start + timedelta(seconds=int(s)) for s in seconds],
        }
        for column, (name, values) in enumerate(CONTEXT.items()):
            labels = list(values)
            table[name] = [labels[code] if seen else None for code, seen in zip(moments[:, column], recorded[:, column])]
        if options.words:
            vocabulary = list(GENRES.values())
            slipped = rng.random(options.events) < SLIP
            meant = np.where(slipped, rng.integers(0, len(GENRES), options.events), truth.genres[items])
            which = rng.integers(0, 5, options.events)
            typed = rng.random(options.events) < options.words
            table["words"] = [f"something {vocabulary[g][w]}" if t else None for g, w, t in zip(meant, which, typed)]
        schema = {name: pl.Datetime("us") if name == "time" else pl.String for name in table}
        events = pl.DataFrame(table, schema=schema).sort("time", maintain_order=True)
        return events, self._items(rng), pl.DataFrame({"user": [f"u{n}" for n in range(options.users)], "segment": truth.segments})

    def _items(self, rng: np.random.Generator) -> pl.DataFrame:
        names = list(GENRES)
        rows = []
        for code, (genre, style) in enumerate(zip(self._truth.genres, self._truth.styles)):
            first, second = rng.choice(GENRES[names[genre]], 2, replace=False)
            rows.append((f"i{code}", f"{STYLES[style]} {names[genre]}, {first} and {second} ({code})".capitalize(), names[genre]))
        return pl.DataFrame(rows, schema=["item", "title", "genre"], orient="row")


class _Truth:
    """What nobody sees: who likes what, and what each moment does."""

    def __init__(self, genres: Codes, styles: Codes, segments: list[str], own: Floats, combinations: Codes, effects: Floats) -> None:
        self.genres = genres  # [items]
        self.styles = styles  # [items]
        self.segments = segments  # [users]
        self.own = own  # [users, items] exp of the utility that does not depend on the moment
        self.combinations = combinations  # [combinations, names] every moment there is
        self.effects = effects  # [combinations, genres] exp of what the moment adds
        of_genre = np.stack([own[:, genres == g].sum(1) for g in range(len(GENRES))], axis=1)  # [users, genres]
        self.totals: Floats = of_genre @ effects.T  # [users, combinations]

    @classmethod
    def drawn(cls, options: MomentWorldOptions) -> _Truth:
        rng = np.random.default_rng([options.seed, 0])
        genres = rng.permutation(np.arange(options.items) % len(GENRES))
        styles = rng.integers(0, len(STYLES), options.items)
        segments = rng.integers(0, SEGMENTS, options.users)
        shared, own = np.sqrt([0.5, 0.5])  # half of what users differ in is their segment's
        taste = shared * rng.normal(size=(SEGMENTS, len(GENRES)))[segments] + own * rng.normal(size=(options.users, len(GENRES)))
        manner = shared * rng.normal(size=(SEGMENTS, len(STYLES)))[segments] + own * rng.normal(size=(options.users, len(STYLES)))
        quality = options.quality * rng.normal(size=options.items)
        utility = options.taste * (taste[:, genres] + manner[:, styles]) + quality
        sizes = [len(values) for values in CONTEXT.values()]
        combinations = np.stack(np.unravel_index(np.arange(np.prod(sizes)), sizes), axis=1)
        effects = np.zeros((len(combinations), len(GENRES)))
        for name, values in enumerate(CONTEXT.values()):
            shares = np.array(list(values.values()))[:, None]
            effect = rng.normal(size=(len(shares), len(GENRES)))
            effect -= (shares * effect).sum(0)  # on average over moments, no genre gains: that would be taste
            effect /= np.sqrt((shares * effect**2).sum(0))
            effects += options.moment * effect[combinations[:, name]]
        return cls(genres, styles, [f"s{code}" for code in segments], np.exp(utility), combinations, np.exp(effects))


def _as_table(events: pl.DataFrame | Dataset) -> pl.DataFrame:
    if isinstance(events, pl.DataFrame):
        return events
    table = events.events.rename({name: name.removeprefix("context:") for name in events.events.columns})
    return table.with_columns(user=events.users["id"].gather(table["user"]))


def _codes(values: pl.Series, known: list[str], what: str, field: str) -> Codes:
    """[rows] positions in ``known``; -1 where null."""
    index = {name: code for code, name in enumerate(known)}
    strange = [v for v in values.unique().to_list() if v is not None and v not in index]
    if strange:
        raise QueryError(f"{strange[0]!r} is no {what} of this world: it has {known[0]} to {known[-1]}.{nearest(strange[0], known)}", field)
    return np.array([-1 if v is None else index[v] for v in values.to_list()], dtype=np.int64)
