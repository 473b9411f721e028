"""Three tables as they were read, to a ``Dataset``: meanings found, types detected, ids coded, rules applied.

Stated rules: ids are text as written. Rows without a user or an item (or without a time, where times are told) are dropped and
counted in ``notes``. An item or a user that only the events name gets a row without facts. Of several rows of one item, the last counts.
Items and users whose events the minimum counts drop leave the tables; those that never had an event stay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import numpy as np
import polars as pl
from pydantic import ValidationError

from ..component import Options, faults
from ..errors import ConfigError, DataError, nearest
from ..types import Note
from . import clock
from . import rules as applied_rules
from .columns import Columns, ColumnType, Rules
from .dataset import Dataset
from .meeting import apart, mend
from .tables import Table, as_table
from .truths import as_labels, as_truths
from .values import as_numbers, as_text, as_times, as_type, detect, said_types, slip

__all__ = ["assemble"]

PARTS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}
"""How a ``split`` column may call the parts."""

Section = TypeVar("Section", bound=Options)


def assemble(
    events: Any,
    items: Any = None,
    users: Any = None,
    *,
    columns: Columns | Mapping[str, Any] | None = None,
    types: Mapping[str, str] | None = None,
    rules: Rules | Mapping[str, Any] | None = None,
    prompt: str | None = None,
    timezone: str | None = None,
    parts: Mapping[str, Any] | None = None,
    folder: str | None = None,
) -> Dataset:
    """See ``Dataset.from_frames``. ``parts``: further events that are ``validation`` or ``test``, for the split ``Given``."""
    meaning = _options(Columns, columns, "[data.columns]")
    law = _options(Rules, rules, "[data.rules]")
    clock.check_zone(timezone)
    event_tables = {"train": as_table(events, "the events table")}
    event_tables |= {part: as_table(data, f"the {part} table") for part, data in (parts or {}).items()}
    work = _Assembly(
        meaning,
        event_tables,
        None if items is None else as_table(items, "the items table"),
        None if users is None else as_table(users, "the users table"),
        *said_types(types or {}),
        timezone,
    )
    work.check()
    work.find_types()
    frame = work.read_events()
    item_table, item_codes = work.entities("item", frame["item"])
    user_table, user_codes = work.entities("user", frame["user"])
    frame = frame.with_columns(item=item_codes, user=user_codes)
    if "time" in frame.columns:
        frame = frame.sort("time", maintain_order=True)
    frame, notes = applied_rules.apply(frame, law, meaning)
    if "time" in frame.columns:
        frame = frame.sort("time", maintain_order=True)
    if law.min_user_events > 1 or law.min_item_events > 1:
        frame, item_table = _without_gone("item", frame, item_codes, item_table)
        frame, user_table = _without_gone("user", frame, user_codes, user_table)
    if frame["user"].n_unique() < 2:
        raise DataError(
            f"all events are of one single user ({user_table['id'][int(frame['user'][0])]!r}): at least two users are needed. "
            f"Is [data.columns] user = {meaning.in_events('user')!r} the right column?"
        )
    first = ["user", "item", "weight", "positive"]
    return Dataset(
        columns=meaning,
        types=work.types,
        events=frame.select(*first, pl.exclude(first)),
        items=item_table,
        users=user_table,
        separators=work.separators,
        forms={name: work.forms.get(name) for name, kind in work.said.items() if kind == "time"},
        timezone=timezone,
        rules=law,
        prompt=prompt,
        notes=(*work.notes, *notes),
        folder=folder,
    )


@dataclass
class _Assembly:
    columns: Columns
    events: dict[str, Table]
    items: Table | None
    users: Table | None
    said: dict[str, ColumnType]
    separators: dict[str, str]
    forms: dict[str, str]
    """Of times that are not written as ISO has it."""
    timezone: str | None
    types: dict[str, ColumnType] = field(default_factory=dict)
    homes: dict[str, Table] = field(default_factory=dict)
    """The table that each type is of: a name has one type, whichever tables have it."""
    notes: list[Note] = field(default_factory=list)

    @property
    def train(self) -> Table:
        return self.events["train"]

    def check(self) -> None:
        """Every named column is there, or all that are not are named at once."""
        c = self.columns
        wrong: list[str] = []
        if c.in_events("user") == c.in_events("item"):
            wrong.append(f"[data.columns] user and item are both {c.in_events('user')!r}: they are two columns.")
        for table in self.events.values():
            single = {"user": c.in_events("user"), "item": c.in_events("item"), "time": c.time, "value": c.value, "kind": c.kind, "label": c.label}
            single |= {"split": c.split if len(self.events) == 1 else None, "words": c.words}
            needs = [(m, n) for m, n in single.items() if n is not None]
            needs += [("context", n) for n in c.context] + [("place", n) for n in c.place]
            wrong += _missing(needs, [table])
        for own, named, names in (
            (self.items, "item", [("text", c.text), ("side", c.side), ("image", _tuple(c.image)), ("vector", _tuple(c.vector))]),
            (self.users, "user", [("user_side", c.user_side)]),
        ):
            if own is not None:
                wrong += _missing([(named, c.in_items() if named == "item" else c.in_users())], [own])
            wrong += _missing([(m, n) for m, given in names for n in given], [own, self.train])
        wrong += [said for who in ("item", "user") if (said := self._second_id(who))]
        wrong += _missing([("sensitive", n) for n in c.sensitive], [self.users, self.items, self.train])
        known = {n for table in (*self.events.values(), self.items, self.users) if table for n in table.names}
        wrong += [f"[data.types] {n}: no table has such a column.{nearest(n, known)}" for n in self.said if n not in known]
        if wrong:
            raise DataError("\n".join(wrong))
        if all(table.frame.height == 0 for table in self.events.values()):
            raise DataError(f"{self.train.name} holds no events: at least two users with events are needed.")

    def _facts_of(self, who: Literal["item", "user"]) -> tuple[str, ...]:
        """Columns that are to describe items or users."""
        c = self.columns
        return (*c.text, *c.side, *_tuple(c.image), *_tuple(c.vector)) if who == "item" else (*c.user_side, *c.sensitive)

    def _second_id(self, who: Literal["item", "user"]) -> str:
        """``id`` is what tables call the ids, so no other column of that name can describe anything."""
        own, key = (self.items, self.columns.in_items()) if who == "item" else (self.users, self.columns.in_users())
        key = key if own is not None else self.columns.in_events(who)
        if "id" not in self._facts_of(who) or key == "id":
            return ""
        return f"[data.columns] names 'id' as a fact of {who}s, whose ids are in {key!r}: rename the column in the file, or leave it out."

    def find_types(self) -> None:
        c = self.columns
        for name in c.context:
            self._find_type(name, self.train, context=True)
        for name in c.place:
            self.types[name] = self.said.get(name, "number" if len(c.place) == 2 else "category")
            self.homes[name] = self.train
        for name in (*c.side, *c.text):
            if name in c.side:
                self._find_type(name, self._owner(name, self.items))
            else:
                self.types.setdefault(name, self.said.get(name, "text"))
        for name in c.user_side:
            self._find_type(name, self._owner(name, self.users))

    def read_events(self) -> pl.DataFrame:
        frames = [self._read_part(part, table) for part, table in self.events.items()]
        frame = pl.concat(frames)
        if frame.height == 0:
            raise DataError(f"no event of {self.train.name} has a user, an item and a time: nothing is left to learn from.")
        return frame

    def entities(self, who: Literal["item", "user"], mentioned: pl.Series) -> tuple[pl.DataFrame, pl.Series]:
        """The table of items or users, and the code of each event in it."""
        c = self.columns
        own, key = (self.items, c.in_items()) if who == "item" else (self.users, c.in_users())
        facts = _facts(own, key, self, who) if own is not None else pl.DataFrame({"id": pl.Series([], dtype=pl.String)})
        if own is not None:
            self._note_unknown(who, own, mentioned, facts["id"])
        ids = pl.concat([facts["id"], mentioned.alias("id")]).unique(maintain_order=True)
        table = ids.to_frame().join(facts, on="id", how="left", maintain_order="left")
        borrowed = [n for n in dict.fromkeys(self._facts_of(who)) if n not in table.columns and n in self.train.frame.columns]
        if who == "user":
            borrowed = [n for n in borrowed if n not in c.sensitive or n in c.user_side or self.items is None or n not in self.items.frame.columns]
        if borrowed:  # facts that only the events tell: the first of each id
            told = {"id": as_text(self.train.frame[c.in_events(who)])}
            told |= {n: self.cells(self.train, n, self.types.get(n)) for n in borrowed}
            first = pl.DataFrame(told).group_by("id").agg(pl.col(n).drop_nulls().first() for n in borrowed)
            table = table.join(first, on="id", how="left", maintain_order="left")
        codes = mentioned.cast(pl.Enum(ids)).to_physical().cast(pl.Int32)
        return table, codes

    def _note_unknown(self, who: str, own: Table, mentioned: pl.Series, known: pl.Series) -> None:
        """Ids of the events that their own table does not have: nothing is known of them, and often only their writing differs."""
        unknown = apart(mentioned, known)
        if not len(unknown):
            return
        how = mend(unknown, known)
        so = f"most would be {how}" if how else "nothing is known of them"
        self.notes.append(Note(f"unknown_{who}s", f"{len(unknown):,} of {mentioned.n_unique():,} {who}s of the events are not in {own.name}: {so}"))

    def cells(self, table: Table, name: str, kind: ColumnType | None) -> pl.Series:
        """The cells of a column that describes an item or a user; whole numbers stay whole, as people write them."""
        column = table.frame[name]
        if name in (self.columns.image, self.columns.vector):
            return column
        if kind is None:
            if column.dtype.is_nested() and (not isinstance(column.dtype, pl.List) or column.dtype.inner.is_nested()):
                return column
            kind = self.said.get(name, detect(column))
        if kind == "categories":
            self.separators.setdefault(name, "|")
        cells = self._typed(table, name, kind)
        if kind == "number" and len(cells) and (cells.drop_nulls() % 1 == 0).all() and (cells.drop_nulls().abs() < 2**53).all():
            return cells.cast(pl.Int64)
        return cells

    def _read_part(self, part: str, table: Table) -> pl.DataFrame:
        c, raw = self.columns, table.frame
        read = {"user": as_text(raw[c.in_events("user")]), "item": as_text(raw[c.in_events("item")])}
        if c.time is not None:
            read["time"] = as_times(table, c.time, self.timezone, self.forms.get(c.time))
        if c.value is not None:
            read["value"] = as_numbers(table, c.value).cast(pl.Float32)
        if c.kind is not None:
            read["kind"] = as_text(raw[c.kind])
        if c.label is not None:
            read["label"] = as_labels(table, c.label)
        if len(self.events) > 1:
            read["split"] = pl.repeat(part, raw.height, eager=True, dtype=pl.String)
        elif c.split is not None:
            read["split"] = _parts(table, c.split)
        if c.words is not None:
            read["words"] = as_text(raw[c.words])
        for name in c.moment:
            read[f"context:{name}"] = self._typed(table, name, self.types[name])
        frame = pl.DataFrame(read)
        for name in ("user", "item", "time"):
            if name in frame.columns and (gone := frame[name].null_count()):
                self.notes.append(Note(f"missing_{name}", f"{gone:,} events of {table.name} have no {name} and were dropped"))
                frame = frame.filter(pl.col(name).is_not_null())
        return frame

    def _typed(self, table: Table, name: str, kind: ColumnType) -> pl.Series:
        try:
            cells = as_type(table, name, kind, self.separators.get(name, "|"), self.timezone, self.forms.get(name))
        except DataError as error:
            home = self.homes.get(name, table)
            if home is table or (table is not self.items and table is not self.users):
                raise
            raise DataError(f"{error} {name!r} is a column of {home.name} too, and one name has one type: rename one of the two.") from None
        return as_truths(cells) if kind == "category" else cells

    def _find_type(self, name: str, table: Table, context: bool = False) -> None:
        if name not in self.types:
            self.types[name] = self.said.get(name) or detect(table.frame[name], context=context)
            self.homes[name] = table
            if self.types[name] == "categories":
                self.separators.setdefault(name, "|")
            elif name not in self.said and (row := slip(table.frame[name], context=context)) is not None:
                odd = f"{table.place(row)}: column {name!r} holds {table.frame[name][row]!r}, and numbers in nearly all other cells"
                advice = f'empty such cells to have numbers, or say {name} = "category" in [data.types]'
                self.notes.append(Note("nearly_numbers", f"{odd}, so each value is a category: {advice}"))

    def _owner(self, name: str, own: Table | None) -> Table:
        return own if own is not None and name in own.frame.columns else self.train


def _facts(own: Table, key: str, work: _Assembly, who: Literal["item", "user"]) -> pl.DataFrame:
    """The rows of an items or users table, one an id, cells by type."""
    read = {"id": as_text(own.frame[key])}
    for name in own.frame.columns:
        if name == key and (name == "id" or name not in work._facts_of(who)):  # an id may say something too, such as a title
            continue
        if name == "id":
            work.notes.append(Note("dropped_column", f"column 'id' of {own.name} was dropped: {key!r} holds the ids of its rows"))
            continue
        read[name] = work.cells(own, name, work.types.get(name))
    frame = pl.DataFrame(read)
    if gone := frame["id"].null_count():
        work.notes.append(Note(f"missing_{who}", f"{gone:,} rows of {own.name} have no id and were dropped"))
        frame = frame.filter(pl.col("id").is_not_null())
    unique = frame.unique("id", keep="last", maintain_order=True)
    if doubled := frame.height - unique.height:
        work.notes.append(Note(f"duplicate_{who}s", f"{doubled:,} rows of {own.name} have a later row of the same id, which counts"))
    return unique


def _parts(table: Table, name: str) -> pl.Series:
    written = as_text(table.frame[name])
    parts = written.str.strip_chars().str.to_lowercase().replace_strict(list(PARTS), list(PARTS.values()), default=None, return_dtype=pl.String)
    if parts.null_count():
        row = int(parts.is_null().arg_max() or 0)
        raise DataError(f"{table.place(row)}: column {name!r} holds {written[row]!r}: a split is train, validation or test.")
    return parts


def _without_gone(who: str, frame: pl.DataFrame, codes: pl.Series, table: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Drop the rows of those that had events and have none left; codes close ranks."""
    had, has = (np.bincount(c.to_numpy(), minlength=table.height) > 0 for c in (codes, frame[who]))
    stays = ~had | has
    if stays.all():
        return frame, table
    renumbered = (np.cumsum(stays) - 1).astype(np.int32)
    return frame.with_columns(pl.Series(who, renumbered[frame[who].to_numpy()])), table.filter(pl.Series(stays))


def _missing(needs: Sequence[tuple[str, str]], tables: Sequence[Table | None]) -> list[str]:
    there = [table for table in tables if table is not None]
    known = list(dict.fromkeys(name for table in there for name in table.names))
    names = " and ".join(table.name for table in there)
    has = "have" if len(there) > 1 else "has"
    return [
        f"{names} {has} no column {name!r}, which [data.columns] {meaning} names; columns are {', '.join(known) or 'none'}.{nearest(name, known)}"
        for meaning, name in needs
        if name not in known
    ]


def _options(kind: type[Section], given: Section | Mapping[str, Any] | None, where: str) -> Section:
    if isinstance(given, kind):
        return given
    try:
        return kind.model_validate(dict(given or {}))
    except ValidationError as error:
        raise ConfigError(faults(error, where, kind)) from None


def _tuple(name: str | None) -> tuple[str, ...]:
    return () if name is None else (name,)
