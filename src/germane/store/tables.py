"""The tables of a store, and the views ``events``, ``items`` and ``users`` in which it can be read like the user's own three tables.

What differs from caller to caller (context, columns of items and users) is kept as JSON; every name that has occurred is a
column of the view: numbers and texts as they are, true and false as these words, lists as JSON. Each table has the tenant first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain, count
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    literal_column,
    select,
)

__all__ = [
    "FORMAT",
    "about",
    "add_names",
    "catalogue",
    "erased",
    "event_log",
    "make_views",
    "names",
    "people",
    "rewards",
    "schema",
    "slates",
    "try_out",
]

FORMAT = 1
"""Of the tables. A store of a higher one is refused."""

schema = MetaData()
_row = BigInteger().with_variant(Integer, "sqlite")


def _table(name: str, *columns: Column[Any] | UniqueConstraint | Index) -> Table:
    return Table(name, schema, Column("row", _row, primary_key=True, autoincrement=True), Column("tenant", String, nullable=False), *columns)


about = Table("about", schema, Column("key", String, primary_key=True), Column("value", String, nullable=False))

names = Table("names", schema, Column("view", String, primary_key=True), Column("name", String, primary_key=True))

event_log = _table(
    "event_log",
    Column("event_id", String),
    Column("digest", String, nullable=False),
    Column("user", String, nullable=False),
    Column("item", String, nullable=False),
    Column("time", Float, nullable=False),
    Column("kind", String),
    Column("value", Float),
    Column("context", Text, nullable=False),
    Column("recommendation_id", String),
    UniqueConstraint("tenant", "event_id"),
    Index("event_log_user", "tenant", "user"),
)

slates = _table(
    "slates",
    Column("recommendation_id", String, nullable=False),
    Column("user", String),
    Column("time", Float, nullable=False),
    Column("line", Text, nullable=False),
    UniqueConstraint("tenant", "recommendation_id"),
    Index("slates_user", "tenant", "user"),
)

rewards = _table(
    "rewards",
    Column("reward_id", String),
    Column("digest", String, nullable=False),
    Column("recommendation_id", String, nullable=False),
    Column("item", String, nullable=False),
    Column("reward", Float, nullable=False),
    Column("kind", String),
    Column("time", Float, nullable=False),
    UniqueConstraint("tenant", "reward_id"),
    Index("rewards_recommendation", "tenant", "recommendation_id"),
)

catalogue = _table(
    "catalogue",
    Column("item", String, nullable=False),
    Column("columns", Text, nullable=False),
    Column("gone", Boolean, nullable=False),
    UniqueConstraint("tenant", "item"),
)

people = _table("people", Column("user", String, nullable=False), Column("columns", Text, nullable=False), UniqueConstraint("tenant", "user"))

erased = _table("erased", Column("digest", String, nullable=False), UniqueConstraint("tenant", "digest"))

_VIEWS: Mapping[str, tuple[str, tuple[str, ...], str, str]] = {
    "events": ("event_log", ("row", "tenant", "user", "item", "time", "kind", "value", "recommendation_id"), "context", ""),
    "items": ("catalogue", ("tenant", "item"), "columns", " WHERE NOT gone"),
    "users": ("people", ("tenant", "user"), "columns", ""),
}
_WIDEST = 500
"""Columns of a view; SQLite ends at 2,000."""


def add_names(connection: Connection, view: str, found: Iterable[str], known: set[str]) -> None:
    """Make these names columns of the view; ``known`` is the caller's memory of what the view has."""
    fresh = dict.fromkeys(name for name in found if name not in known)
    if fresh:
        held = set(connection.execute(select(names.c.name).where(names.c.view == view)).scalars())
        if new := [name for name in fresh if name not in held]:
            connection.execute(names.insert(), [{"view": view, "name": name} for name in new])
            make_views(connection, view)
        known.update(fresh)


def make_views(connection: Connection, *which: str) -> None:
    """Views over the names that have occurred, in the order in which they came, so that a column keeps its name whatever comes later.

    SQL takes letters of either case for the same: of two such names the later one is called after its table's column too.
    """
    made = {row[0]: row[1] for row in connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'view'")}
    for view in which or _VIEWS:
        table, fixed, source, where = _VIEWS[view]
        occurred = connection.execute(select(names.c.name).where(names.c.view == view).order_by(literal_column("rowid")).limit(_WIDEST)).scalars()
        cells = [_quoted(name) for name in fixed]
        taken = {name.lower() for name in fixed}
        for name in occurred:
            if '"' in name or "\0" in name or "\\" in name:
                continue
            ways = chain((name, f"{source}_{name}"), (f"{source}_{name}_{n}" for n in count(2)))
            shown = next(way for way in ways if way.lower() not in taken)
            taken.add(shown.lower())
            path = f'$."{name}"'.replace("'", "''")
            cell = f"{source}, '{path}'"
            cells.append(f"CASE WHEN json_type({cell}) IN ('true', 'false') THEN json_type({cell}) ELSE json_extract({cell}) END AS {_quoted(shown)}")
        said = f"CREATE VIEW {view} AS SELECT {', '.join(cells)} FROM {table}{where}"
        if made.get(view) != said:
            connection.exec_driver_sql(f"DROP VIEW IF EXISTS {view}")
            connection.exec_driver_sql(said)


def try_out(connection: Connection) -> None:
    """Write and take away a little more than a page, which needs what every write needs: the lock, and space."""
    connection.execute(about.insert(), [{"key": "tried out", "value": "-" * 65_536}])
    connection.execute(about.delete().where(about.c.key == "tried out"))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
