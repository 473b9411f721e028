"""What the columns of three tables seem to mean: by their names first, by their values where names say nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import polars as pl

from ..data.assemble import PARTS
from ..data.clock import looks_like_times
from ..data.values import as_text, detect
from ..errors import DataError

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
QUANTITIES = "age year price cost budget count num number amount size length duration minutes rating score votes weight width height pages rank"
MOST_CATEGORIES = 50


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
            names = self.columns.setdefault(meaning, [])
            assert isinstance(names, list)
            names.append(column)
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
    for column in _named(events, "time"):
        if column not in made.taken("events") and _is_time(events[column]):
            made.take("events", column, "time", "its name, and its values are times")
            break
    else:
        _time_by_values(made, events)
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
    for column in free:  # called the same in both, or under one of the usual names
        for key in (*(name for name in own.columns if name == column), *_named(own, meaning), *(n for n in own.columns if _plain(n) == "id")):
            if _overlap(events[column], own[key]) > 0.5:
                _pair(made, meaning, column, table, key, "its name, and the same ids in both tables")
                return
    best = max(
        (
            (_overlap(events[column], own[key]), column, key)
            for key in own.columns
            if own[key].n_unique() > max(1, 0.95 * own.height) and not own[key].dtype.is_float()
            for column in events.columns
            if column not in made.taken("events")
        ),
        default=(0.0, "", ""),
    )
    if best[0] > 0.8:
        _pair(made, meaning, best[1], table, best[2], f"{best[0]:.0%} of its values are {best[2]} in the {table}")
        return
    raise DataError(
        f"no column of the events holds the ids of the {table}: the events have {', '.join(events.columns)}, the {table} {', '.join(own.columns)}. "
        f"Call the {meaning}'s column the same in both, such as {meaning!r}."
    )


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
        whole = detect(events[column]) == "category" or (detect(events[column]) == "number" and _whole(events[column]))
        if column not in made.taken("events") and whole and 5 <= kinds <= rows / 2 and not _is_time(events[column]):
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
        values = events[column]
        kinds = _kinds(values)
        number = detect(values) == "number"
        if meaning == "value" and number:
            made.take("events", column, "value", "its name, and its values are numbers")
            made.liked = _liked(values)
        elif meaning == "kind" and not number and 2 <= len(kinds) <= 20:
            made.take("events", column, "kind", f"its name, and {len(kinds)} different values")
            made.kinds = as_text(values).drop_nulls().value_counts(sort=True)[values.name].to_list()
        elif meaning == "label" and kinds == {"0", "1"}:
            made.take("events", column, "label", "its name, and its values are 0 and 1")
        elif meaning == "words" and not number and len(kinds) > 1:
            made.take("events", column, "words", "its name: what the user typed")
        elif meaning == "split" and {kind.lower() for kind in kinds} <= PARTS.keys() and len(kinds) > 1:
            made.take("events", column, "split", "its values are the parts of a split")
        else:
            continue
        return


def _time_by_values(made: Guess, events: pl.DataFrame) -> None:
    for column in events.columns:
        values = events[column]
        if column not in made.taken("events") and (values.dtype.is_temporal() or (values.dtype == pl.String and looks_like_times(values))):
            made.take("events", column, "time", "its values are times")
            return


def _place(made: Guess, events: pl.DataFrame) -> None:
    free = {_plain(name): name for name in events.columns if name not in made.taken("events")}
    latitude = next((free[name] for name in ("latitude", "lat") if name in free), None)
    longitude = next((free[name] for name in ("longitude", "lon", "lng", "long") if name in free), None)
    if latitude and longitude and _within(events[latitude], 90) and _within(events[longitude], 180):
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
    kinds = _distinct(values)
    if kinds < 2:
        made.leave("events", column, "it says the same everywhere" if kinds else "it is empty")
        return
    for meaning, table, may in (("item", "items", True), ("user", "users", _plain(column) in PEOPLE.split())):
        key = made.columns[meaning]
        if may and not own[table] and isinstance(key, str) and _belongs(events, key, column):  # else its facts stand in its own table
            _describes(made, table, column, events.unique(key, keep="first")[column], "events", meaning)
            return
    kind = _kind_of(values, context=True)
    if column == "time":
        made.leave("events", column, "its name means the clock in queries; to use it as context, rename the column")
    elif kind == "number" and _whole(values) and kinds > 0.9 * events.height:
        made.leave("events", column, "a whole number of its own in nearly each row: it looks like an id")
    elif kind == "number":
        made.take("events", column, "context", "numbers that vary with the event")
    elif kind in ("few", "several"):
        made.take("events", column, "context", f"{kinds} different values that vary with the event")
    elif kind == "wordy":
        made.leave("events", column, "free text; if users typed it when they asked, write words = … for it")
    else:
        made.leave("events", column, f"{kinds:,} different values are too many for a context")


def _describes(made: Guess, table: str, column: str, values: pl.Series, where: str = "", whose: str = "") -> None:
    """A column that tells something of an item or a user. ``where``: the table it stands in, if not its own."""
    home, plain, kind = where or table, _plain(column), _kind_of(values)
    of = f"it belongs to the {whose}; " if whose else ""
    if _distinct(values) < 2:
        made.leave(home, column, of + "it says the same everywhere")
    elif values.dtype.is_nested() and kind != "several":
        made.leave(home, column, of + "nested values; if they are vectors, write vector = … for it")
    elif plain in LINKS.split() or _are_links(values):
        made.leave(home, column, of + "links or file names")
    elif table == "items" and kind != "number" and plain in WORDY.split():
        made.take(home, column, "text", of + "its name, and texts")
    elif table == "items" and kind in ("few", "several") and plain in READ_TOO.split():
        made.take(home, column, "side", of + "categories, which a language model can read too")
        made.also(column, "text")
    elif table == "items" and kind == "wordy":
        made.take(home, column, "text", of + "texts of several words")
    elif kind == "number" and _whole(values) and values.n_unique() > 0.95 * len(values) and len(values) > 20:
        made.leave(home, column, of + "a whole number of its own in nearly each row: it looks like an id")
    elif kind == "number" and _are_codes(column, values):
        made.take(home, column, "side" if table == "items" else "user_side", of + "few whole numbers: codes of categories")
        made.types[column] = "category"
    elif kind == "number":
        made.take(home, column, "side" if table == "items" else "user_side", of + "numbers")
    elif kind in ("few", "several"):
        made.take(home, column, "side" if table == "items" else "user_side", of + f"{_distinct(values)} different values")
    else:
        made.leave(home, column, of + "nearly each row has a value of its own")


def _named(frame: pl.DataFrame, meaning: str) -> list[str]:
    """Columns with one of the usual names, the most usual first."""
    plain = {_plain(name): name for name in reversed(frame.columns)}
    return [plain[name] for name in NAMES[meaning].split() if name in plain]


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.lower())


def _kinds(values: pl.Series) -> set[str]:
    return set(as_text(values).drop_nulls().unique().head(1000).to_list()) if not values.dtype.is_nested() else set()


def _distinct(values: pl.Series) -> int:
    """How many different values there are; empty cells are none."""
    return (values if values.dtype.is_nested() else as_text(values)).drop_nulls().n_unique()


def _kind_of(values: pl.Series, context: bool = False) -> str:
    """``number``, ``several`` (values in a cell), ``few`` (categories), ``wordy`` or ``many``."""
    if values.dtype.is_nested() and not isinstance(values.dtype, pl.List):
        return "many"
    detected = detect(values, context=context)
    if isinstance(values.dtype, pl.List) and values.dtype.inner.is_numeric():
        return "many"
    if detected == "number":
        return "number"
    if detected == "categories":
        return "several"
    texts = as_text(values).drop_nulls()
    kinds, words = texts.n_unique(), texts.str.count_matches(r"\S+").mean()
    if isinstance(words, float) and words >= 1.5 and kinds > max(20, 0.3 * len(texts)):
        return "wordy"
    return "few" if kinds <= max(MOST_CATEGORIES, len(texts) // 20) and kinds <= max(2, 0.5 * len(texts)) else "many"


def _are_codes(column: str, values: pl.Series) -> bool:
    """Whether whole numbers stand for categories: few of them, and a name that measures nothing."""
    words = re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", column).lower())
    return _whole(values) and values.n_unique() <= MOST_CATEGORIES and not set(words) & set(QUANTITIES.split())


def _belongs(events: pl.DataFrame, key: str, column: str) -> bool:
    """Whether users or items that come again nearly always have the same value of this column."""
    if events[column].dtype.is_nested():
        return False
    owners = events.select(key, column).drop_nulls().group_by(key).agg(pl.len().alias("rows"), pl.col(column).n_unique().alias("values"))
    again = owners.filter(pl.col("rows") > 1)
    return again.height >= 10 and float((again["values"] == 1).mean() or 0.0) > 0.98  # type: ignore[arg-type]


def _is_time(values: pl.Series) -> bool:
    if values.dtype.is_temporal() or (values.dtype == pl.String and looks_like_times(values)):
        return True
    numbers = _numbers(values)
    if numbers.null_count() > values.null_count() or not len(values):
        return False
    low, high = numbers.min(), numbers.max()
    if not isinstance(low, float) or not isinstance(high, float):
        return False
    return (low >= 1e8 and high < 5e9) or (low >= 1e11 and high < 5e12)  # from 1973 on, in seconds or milliseconds


def _numbers(values: pl.Series) -> pl.Series:
    """Null where a cell is no number; a comma may be the decimal mark."""
    texts = values.str.replace(",", ".", literal=True) if values.dtype == pl.String else values
    return texts.cast(pl.Float64, strict=False)


def _whole(values: pl.Series) -> bool:
    numbers = _numbers(values).drop_nulls()
    return bool((numbers % 1 == 0).all())


def _within(values: pl.Series, most: float) -> bool:
    numbers = _numbers(values)
    return numbers.null_count() == values.null_count() and bool((numbers.drop_nulls().abs() <= most).all())


def _are_links(values: pl.Series) -> bool:
    if values.dtype != pl.String:
        return False
    texts = values.drop_nulls().head(100)
    return len(texts) > 0 and bool(texts.str.contains(r"(?i)^https?://|\.(?:jpe?g|png|gif|webp)$").all())


def _overlap(values: pl.Series, keys: pl.Series) -> float:
    """The share of different values that are keys."""
    if values.dtype.is_nested() or keys.dtype.is_nested():
        return 0.0
    mine, theirs = as_text(values).drop_nulls().unique(), as_text(keys).drop_nulls().unique()
    return float(mine.is_in(theirs.implode()).mean() or 0.0) if len(mine) else 0.0  # type: ignore[arg-type]


def _liked(values: pl.Series) -> str | None:
    numbers = _numbers(values).drop_nulls()
    low, high = numbers.min(), numbers.max()
    if not isinstance(low, float) or not isinstance(high, float) or not (0 <= low < high <= 10) or numbers.n_unique() > 20:
        return None
    return f">= {low + 0.75 * (high - low):.2g}"
