"""What each column of the user's tables means."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from ..component import Options
from ..errors import ConfigError
from .expression import Condition

__all__ = ["ColumnType", "Columns", "Conversion", "Renamed", "Rules"]

ColumnType = Literal["category", "number", "categories", "text", "time"]


class Renamed(Options):
    """One meaning whose column is called differently in two tables."""

    events: str
    """Its name in the events."""
    items: str | None = None
    """Its name in the items."""
    users: str | None = None
    """Its name in the users."""


class Columns(Options):
    """``[data.columns]``: the meaning of each column. A column is sought in the table it belongs to, else in events."""

    user: str | Renamed = "user"
    """Who did it. Where tables differ: ``{events = "userId", users = "id"}``."""
    item: str | Renamed = "item"
    """What it was done to. Where tables differ: ``{events = "movieId", items = "id"}``."""
    time: str | None = None
    """When. Without it the order of the file is the order, and ``ByTime`` is refused."""
    value: str | None = None
    """A number that belongs to the event, such as a rating."""
    kind: str | None = None
    """What was done, such as view or buy."""
    label: str | None = None
    """A 0/1 column (or false/true, no/yes): the row was taken up, or shown and not taken up."""
    split: str | None = None
    """Which part a row belongs to, for the split ``Given``."""
    context: tuple[str, ...] = ()
    """The moment: what is known when the list is shown."""
    place: tuple[str, ...] = ()
    """[latitude, longitude], or one column of cells: of the event, and of the item where the items table has them too."""
    words: str | None = None
    """What the user typed at the event."""
    text: tuple[str, ...] = ()
    """Columns of items that a language model reads."""
    side: tuple[str, ...] = ()
    """Features of items."""
    user_side: tuple[str, ...] = ()
    """Features of users."""
    image: str | None = None
    """Picture files of items. Kept, and read by nothing yet."""
    vector: str | None = None
    """Ready vectors of items. Kept, and read by nothing yet."""
    sensitive: tuple[str, ...] = ()
    """What lists must not depend on, such as gender; named here so that reports can look at it."""

    @field_validator("context", "place", "text", "side", "user_side", "sensitive", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("context", "place")
    @classmethod
    def _no_second_clock(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if "time" in value:
            raise ValueError("should not name a column 'time', which in queries is the clock: rename it, such as to daytime")
        return value

    @field_validator("place")
    @classmethod
    def _pair_or_cell(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(value) > 2:
            raise ValueError("should be [latitude, longitude] or one column of cells")
        return value

    @model_validator(mode="after")
    def _each_once(self) -> Columns:
        twice = sorted(name for name in set(self.moment) if self.moment.count(name) > 1)
        if twice:
            raise ValueError(f"context and place should name each column once, and name {', '.join(map(repr, twice))} twice")
        return self

    def in_events(self, meaning: Literal["user", "item"]) -> str:
        named = getattr(self, meaning)
        return named if isinstance(named, str) else named.events

    def in_items(self) -> str:
        return self.item if isinstance(self.item, str) else (self.item.items or self.item.events)

    def in_users(self) -> str:
        return self.user if isinstance(self.user, str) else (self.user.users or self.user.events)

    @property
    def moment(self) -> tuple[str, ...]:
        """Names that a query's ``context`` may hold: context and place columns."""
        return (*self.context, *self.place)


class Conversion(Options):
    """What a click is to lead to, for the conversion head."""

    of: str
    """The kind of event that may convert."""
    by: str
    """The kind that it converts by: the same user's, with the same item, at the same time or later."""
    within: float = Field(gt=0)
    """Days: what comes later is no conversion of this event."""

    @model_validator(mode="after")
    def _two_kinds(self) -> Conversion:
        if self.of == self.by:
            raise ValueError(f"of and by should be two kinds, and both are {self.of!r}")
        return self


class Rules(Options):
    """``[data.rules]``: which events count, and for how much."""

    min_user_events: int = Field(default=0, ge=0)
    """Users with fewer events are dropped, with their events; repeated with items until nothing changes."""
    min_item_events: int = Field(default=0, ge=0)
    """Items with fewer events are dropped, with their events."""
    positive: str | None = None
    """What counts as liked, such as ">= 4"; other events are history and seen, never targets."""
    kinds: dict[str, float] = Field(default_factory=dict)
    """Weight of each kind of event; kinds not named weigh 1."""
    target: str | None = None
    """The kind to predict; absent: every kind."""
    duplicates: Literal["keep", "last", "sum"] = "keep"
    """Events of the same user, item and kind: all are kept, only the last, or the last with values and weights summed."""
    conversion: Conversion | None = None
    """What a click is to lead to, and in how many days: ``{of = "click", by = "buy", within = 30}``. For ``heads = {conversion = 1.0}``."""
    hold_out_items: int = Field(default=0, ge=0)
    """10: items with crc32(id) % 10 == 0 have no training or validation events."""
    correct_words: bool = True
    """Typed words that neither training, nor an item's text, nor the language model knows are read as the known word one slip away, and answers say
    so."""

    @field_validator("positive")
    @classmethod
    def _a_condition(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                Condition.parse(value)
            except ConfigError as error:
                raise ValueError(str(error).rstrip(".")) from None
        return value

    @field_validator("kinds")
    @classmethod
    def _not_negative(cls, value: dict[str, float]) -> dict[str, float]:
        if any(weight < 0 for weight in value.values()):
            raise ValueError("weights should be 0 or more")
        return value
