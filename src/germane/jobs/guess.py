"""What the columns of three tables seem to mean: by their names first, by their values where names say nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import polars as pl

from ..data.assemble import PARTS
from ..data.meeting import apart, mend
from ..data.values import as_text, as_written, detect
from ..errors import DataError
from .looks import (
    are_codes,
    are_epochs,
    are_links,
    are_moments,
    are_truths,
    are_whole,
    are_within,
    belongs,
    distinct,
    forms_of,
    is_time,
    kind_of,
    kinds_of,
    liked,
    overlap,
    why_unread,
)

__all__ = ["Guess", "Guessed", "guess"]

NAMES = {
    "user": "user userid uid username customer customerid custid client clientid visitor visitorid member memberid reviewer reviewerid buyer "
    "buyerid account accountid person personid student studentid listener reader session sessionid",
    "item": "item itemid iid product productid productcode sku asin article articleid movie movieid film filmid video videoid track trackid song "
    "songid artist artistid album albumid book bookid isbn app appid course courseid news newsid ad adid game gameid recipe recipeid venue venueid "
    "business businessid restaurant restaurantid content contentid document documentid docid post postid offer offerid listing listingid hotel "
    "hotelid stockcode parentasin",
    "time": "time timestamp datetime date ts eventtime eventtimestamp created createdat unixtime unixreviewtime visitedat watchedat playedat",
    "value": "rating value score stars overall playcount plays count cnt quantity qty amount grade",
    "kind": "kind event eventtype eventname action type behavior behaviour activity interaction",
    "label": "label clicked click isclick target converted purchased bought liked",
    "words": "words query search searchterm searchquery searchwords keywords utterance request",
    "split": "split fold part partition subset",
}
WORDY = "title name headline description overview summary plot synopsis abstract text body plotsummary shortdescription movietitle productname"
READ_TOO = "genre genres category categories tag tags brand author authors artist director class subject topic topics keywords cuisine"
"""Item columns that are features, and say something to a language model too."""
LINKS = "url link href image img picture poster cover thumbnail photo imageurl"
CELLS = "geohash cell geocell h3 h3cell s2cell"
PEOPLE = "gender sex age agegroup occupation job country city region state language nationality segment tier plan membership education income"


@dataclass(frozen=True)
class Guessed:
    """One column: what it was taken for, and why."""

    table: str
    column: str
    meaning: str
    """Empty: left out."""
    why: str


@dataclass
class Guess:
    """All columns. ``columns`` is what ``[data.columns]`` would hold."""

    found: list[Guessed] = field(default_factory=list)
    columns: dict[str, str | dict[str, str] | list[str]] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    """``[data.types]`` where reading alone would take a column for something else."""
    kinds: list[str] = field(default_factory=list)
    """The kinds of events there are, the most frequent first."""
    liked: str | None = None
    """A rule for ``positive`` where the value looks like a rating."""

    def take(self, table: str, column: str, meaning: str, why: str) -> None:
        self.found.append(Guessed(table, column, meaning, why))
        if meaning in ("context", "text", "side", "user_side"):
            self.also(column, meaning)
        elif meaning and meaning != "key":
            self.columns[meaning] = column

    def also(self, column: str, meaning: str) -> None:
        names = self.columns.setdefault(meaning, [])
        assert isinstance(names, list)
        names.append(column)

    def leave(self, table: str, column: str, why: str) -> None:
        self.found.append(Guessed(table, column, "", why))

    def taken(self, table: str) -> set[str]:
        return {guessed.column for guessed in self.found if guessed.table == table}


def guess(events: pl.DataFrame, items: pl.DataFrame | None = None, users: pl.DataFrame | None = None) -> Guess:
    """Meanings for ``[data.columns]``.

    >>> guess(pl.DataFrame({"customer": ["a", "b"], "sku": ["x", "x"], "weather": ["rain", "sun"]})).columns
    {'user': 'customer', 'item': 'sku', 'context': ['weather']}
    """
    made = Guess()
    for meaning, own in (("user", users), ("item", items)):
        _key(made, meaning, events, own)
    if not {"user", "item"} <= made.columns.keys():
        _by_repetition(made, events)
    _time(made, events)
    for meaning in ("value", "kind", "label", "words", "split"):
        _by_name(made, meaning, events)
    _place(made, events)
    for column in events.columns:
        if column not in made.taken("events"):
            _rest_of_events(made, column, events, own={"items": items is not None, "users": users is not None})
    if items is not None:
        for column in items.columns:
            if column not in made.taken("items"):
                _describes(made, "items", column, items[column])
    if users is not None:
        for column in users.columns:
            if column not in made.taken("users"):
                _describes(made, "users", column, users[column])
    texts = made.columns.get("text")
    if isinstance(texts, list):  # the title before the description
        texts.sort(key=lambda name: (WORDY + " " + READ_TOO).split().index(_plain(name)) if _plain(name) in (WORDY + " " + READ_TOO).split() else 99)
    return made


def _key(made: Guess, meaning: str, events: pl.DataFrame, own: pl.DataFrame | None) -> None:
    """The id of users or items: by name; else the column whose values are the keys of their own table."""
    free = [name for name in _named(events, meaning) if name not in made.taken("events")]
    table = f"{meaning}s"
    if own is None:
        if free:
            made.take("events", free[0], meaning, "its name")
        return
    called = {column: _called_alike(meaning, column, own) for column in free}
    for column, keys in called.items():
        for key in keys:
            if overlap(events[column], own[key]) > 0.5:
                _pair(made, meaning, column, table, key, "its name, and the same ids in both tables")
                return
    parted = next((said for column, keys in called.items() for key in keys if (said := _mend(events[column], own[key]))), "")
    best = max(
        (
            (overlap(events[column], own[key]), column, key)
            for key in own.columns
            if own[key].n_unique() > max(1, 0.95 * own.height) and not own[key].dtype.is_float()
            for column in events.columns
            if column not in made.taken("events") and (not free or column in free or (column == key and not parted))
        ),
        default=(0.0, "", ""),
    )
    if best[0] > 0.8:
        _pair(made, meaning, best[1], table, best[2], f"{best[0]:.0%} of its values are {best[2]} in the {table}")
        return
    if free:  # another column whose few values happen to be ids, such as stars, is no better
        raise DataError(
            f"{free[0]!r} of the events is called as ids of the {table} are, such as {_example(events[free[0]])}, and no column of the {table} holds "
            f"most of them{parted}. Write the ids alike in both files, or say in a config of your own which columns hold them (docs/config.md)."
        )
    raise DataError(
        f"no column of the events holds the ids of the {table}: the events have {', '.join(events.columns)}, the {table} {', '.join(own.columns)}. "
        f"Call the {meaning}'s column the same in both, such as {meaning!r}."
    )


def _called_alike(meaning: str, column: str, own: pl.DataFrame) -> list[str]:
    """Columns of its own table that are called as the events' column is, or have one of the usual names."""
    usual = [*_named(own, meaning), *(name for name in own.columns if _plain(name) == "id")]
    return list(dict.fromkeys([*(name for name in own.columns if name == column), *usual]))


def _mend(values: pl.Series, keys: pl.Series) -> str:
    """Where only their writing parts the ids, what does."""
    if values.dtype.is_nested() or keys.dtype.is_nested():
        return ""
    mine, theirs = as_text(values), as_text(keys)
    said = mend(apart(mine, theirs), theirs)
    return f"; most would meet {said}" if said else ""


def _example(values: pl.Series) -> str:
    return repr(next(iter(as_text(values).drop_nulls().head(1)), ""))


def _pair(made: Guess, meaning: str, column: str, table: str, key: str, why: str) -> None:
    made.take("events", column, meaning, why)
    made.take(table, key, "key", f"the id of its {meaning}")
    if key != column:
        made.columns[meaning] = {"events": column, table: key}


def _by_repetition(made: Guess, events: pl.DataFrame) -> None:
    """Without a telling name: the columns with the most values among those that come again."""
    rows = events.height
    lacking = [meaning for meaning in ("user", "item") if meaning not in made.columns]
    ids = []
    for column in events.columns:
        kinds = events[column].n_unique()
        whole = detect(events[column]) == "category" or (detect(events[column]) == "number" and are_whole(events[column]))
        if column not in made.taken("events") and whole and 5 <= kinds <= rows / 2 and not is_time(events[column]) and not forms_of(events[column]):
            ids.append((kinds, column))
    most = [column for _, column in sorted(ids, reverse=True)[: len(lacking)]]
    if len(most) < len(lacking):
        raise DataError(
            f"no column of the events looks like the {lacking[0]}: they have {', '.join(events.columns)}. "
            f"Rename one to {lacking[0]!r}, or write the config by hand (docs/config.md)."
        )
    for meaning, column in zip(lacking, [name for name in events.columns if name in most], strict=True):
        made.take("events", column, meaning, "its values come again and again, and no name says more: look twice")


def _by_name(made: Guess, meaning: str, events: pl.DataFrame) -> None:
    for column in _named(events, meaning):
        if column in made.taken("events"):
            continue
        values = as_written(events[column])
        kinds = kinds_of(values)
        number = detect(values) == "number"
        if meaning == "value" and number:
            made.take("events", column, "value", "its name, and its values are numbers")
            made.liked = liked(values)
        elif meaning == "kind" and not number and 2 <= len(kinds) <= 20:
            made.take("events", column, "kind", f"its name, and {len(kinds)} different values")
            made.kinds = as_text(values).drop_nulls().value_counts(sort=True)[values.name].to_list()
        elif meaning == "label" and are_truths(values):
            made.take("events", column, "label", f"its name, and its values are {' and '.join(sorted(kinds))}")
        elif meaning == "words" and not number and len(kinds) > 1:
            made.take("events", column, "words", "its name: what the user typed")
        elif meaning == "split" and {kind.lower() for kind in kinds} <= PARTS.keys() and len(kinds) > 1:
            made.take("events", column, "split", "its values are the parts of a split")
        else:
            continue
        return


def _time(made: Guess, events: pl.DataFrame) -> None:
    """By name, then by values; then dates as people write them, with the form to read them by; then epochs."""
    free = [column for column in events.columns if column not in made.taken("events")]
    for column in _named(events, "time"):
        if column in free and is_time(events[column]):
            made.take("events", column, "time", "its name, and its values are times")
            return
    for column in free:
        if are_moments(events[column]):
            made.take("events", column, "time", "its values are times")
            return
    for column in free:
        forms = forms_of(events[column])
        if len(forms) == 1:
            made.take("events", column, "time", f"its values are times, written {forms[0]}")
            made.types[column] = f"time:{forms[0]}"
            return
        if forms:
            either = " or ".join(f'"time:{form}"' for form in forms)
            made.leave("events", column, f"times, but does the day or the month stand first? Say time = … for it, and in [data.types] {either}")
    for column in free:
        if are_epochs(events[column]) and not any(name in _plain(column) for name in ("id", "number", "code")):
            made.take("events", column, "time", "whole numbers that are moments of 2000 to 2035 as epochs: look twice")
            return


def _place(made: Guess, events: pl.DataFrame) -> None:
    free = {_plain(name): name for name in events.columns if name not in made.taken("events")}
    latitude = next((free[name] for name in ("latitude", "lat") if name in free), None)
    longitude = next((free[name] for name in ("longitude", "lon", "lng", "long") if name in free), None)
    if latitude and longitude and are_within(events[latitude], 90) and are_within(events[longitude], 180):
        for column in (latitude, longitude):
            made.found.append(Guessed("events", column, "place", "its name, and its values are degrees"))
        made.columns["place"] = [latitude, longitude]
        return
    for name in CELLS.split():
        if name in free:
            made.found.append(Guessed("events", free[name], "place", "its name: cells of a map"))
            made.columns["place"] = [free[name]]
            return


def _rest_of_events(made: Guess, column: str, events: pl.DataFrame, own: dict[str, bool]) -> None:
    values = events[column]
    kinds = distinct(values)
    if kinds < 2:
        made.leave("events", column, "it says the same everywhere" if kinds else "it is empty")
        return
    for meaning, table, may in (("item", "items", True), ("user", "users", _plain(column) in PEOPLE.split())):
        key = made.columns[meaning]
        if may and not own[table] and isinstance(key, str) and belongs(events, key, column):  # else its facts stand in its own table
            _describes(made, table, column, events.unique(key, keep="first")[column], "events", meaning)
            return
    kind = kind_of(values, context=True)
    if column == "time":
        made.leave("events", column, "its name means the clock in queries; to use it as context, rename the column")
    elif column in _named(events, "label") and are_truths(values):
        made.leave("events", column, "its name: what came of it, which is known only afterwards; there is one label")
    elif kind == "number" and are_whole(values) and kinds > 0.9 * events.height:
        made.leave("events", column, "a whole number of its own in nearly each row: it looks like an id")
    elif kind == "number":
        made.take("events", column, "context", "numbers that vary with the event")
    elif kind in ("few", "several"):
        made.take("events", column, "context", f"{kinds} different values that vary with the event")
    elif kind == "wordy":
        made.leave("events", column, "free text; if users typed it when they asked, write words = … for it")
    else:
        made.leave("events", column, why_unread(values, f"{kinds:,} different values are too many for a context"))


def _describes(made: Guess, table: str, column: str, values: pl.Series, where: str = "", whose: str = "") -> None:
    """A column that tells something of an item or a user. ``where``: the table it stands in, if not its own."""
    home, plain, kind = where or table, _plain(column), kind_of(values)
    of = f"it belongs to the {whose}; " if whose else ""
    if column == "id":
        made.leave(home, column, of + "another column holds the ids of these rows")
    elif distinct(values) < 2:
        made.leave(home, column, of + "it says the same everywhere")
    elif values.dtype.is_nested() and kind != "several":
        made.leave(home, column, of + "nested values, which nothing reads")
    elif plain in LINKS.split() or are_links(values):
        made.leave(home, column, of + "links or file names")
    elif table == "items" and kind != "number" and plain in WORDY.split():
        made.take(home, column, "text", of + "its name, and texts")
    elif table == "items" and kind in ("few", "several") and plain in READ_TOO.split():
        made.take(home, column, "side", of + "categories, which a language model can read too")
        made.also(column, "text")
    elif table == "items" and kind == "wordy":
        made.take(home, column, "text", of + "texts of several words")
    elif kind == "number" and are_whole(values) and values.n_unique() > 0.95 * len(values) and len(values) > 20:
        made.leave(home, column, of + "a whole number of its own in nearly each row: it looks like an id")
    elif kind == "number" and are_codes(column, values):
        made.take(home, column, "side" if table == "items" else "user_side", of + "few whole numbers: codes of categories")
        made.types[column] = "category"
    elif kind == "number":
        made.take(home, column, "side" if table == "items" else "user_side", of + "numbers")
    elif kind in ("few", "several"):
        made.take(home, column, "side" if table == "items" else "user_side", of + f"{distinct(values)} different values")
    else:
        made.leave(home, column, of + why_unread(values, "nearly each row has a value of its own"))


def _named(frame: pl.DataFrame, meaning: str) -> list[str]:
    """Columns with one of the usual names, the most usual first."""
    plain = {_plain(name): name for name in reversed(frame.columns)}
    return [plain[name] for name in NAMES[meaning].split() if name in plain]


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.lower())
