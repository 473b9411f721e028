"""``[data]``: where the tables are and what they mean."""

from __future__ import annotations

import tomllib
from os import PathLike
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from ..component import Component, Options, faults, find
from ..errors import ConfigError
from .assemble import assemble
from .columns import Columns, Rules
from .dataset import Dataset
from .readers import Format, read_sql, read_table

__all__ = ["DataOptions", "open_dataset", "read_config"]


class DataOptions(Options):
    events: str | None = None
    """A file or glob: csv, tsv, parquet, jsonl."""
    items: str | None = None
    users: str | None = None
    sql: str | None = None
    """Any SQLAlchemy address; a password only as env:NAME."""
    events_query: str | None = None
    items_query: str | None = None
    users_query: str | None = None
    use: str | None = None
    """A known source, such as MovieLens100K."""
    path: str | None = None
    """Where the known source's own files are."""
    validation: str | None = None
    """Further events, for the split Given."""
    test: str | None = None
    """Further events, for the split Given."""
    prompt: str | None = None
    """An item's text over its columns, such as "{title}. {genres}."."""
    timezone: str | None = None
    """The zone of epoch times; absent: UTC."""
    format: Format = Field(default_factory=Format)
    columns: Columns | None = None
    types: dict[str, str] = Field(default_factory=dict)
    rules: Rules = Field(default_factory=Rules)


def open_dataset(options: DataOptions, base: Path) -> Dataset:
    """Read the tables that ``[data]`` names, relative to ``base``."""
    ways = [name for name in ("events", "sql", "use") if getattr(options, name) is not None]
    if len(ways) != 1:
        raise ConfigError(f"[data] needs one of events, sql or use; it has {', '.join(ways) or 'none of them'}.")
    common: dict[str, Any] = {"rules": options.rules, "timezone": options.timezone}
    if options.use is not None:
        from . import sources

        source = find(options.use, sources, Component, "[data]")()
        events, items, users = source.read(None if options.path is None else base / options.path)
        said = options.columns or Columns(**source.columns)
        return assemble(
            events,
            items,
            users,
            columns=said,
            types={**source.types, **options.types},
            prompt=options.prompt or source.prompt,
            folder=options.path,
            **common,
        )
    if options.columns is None:
        raise ConfigError("[data.columns] is missing: say at least user and item, and what else the columns mean.")
    if options.sql is not None:
        if options.events_query is None:
            raise ConfigError("[data] sql needs events_query.")
        queries = {"events": options.events_query, "items": options.items_query, "users": options.users_query}
        tables = {name: read_sql(options.sql, query, f"{name}_query") if query else None for name, query in queries.items()}
    else:
        files = {"events": options.events, "items": options.items, "users": options.users}
        tables = {name: read_table(path, base, options.format) if path else None for name, path in files.items()}
    parts = {name: read_table(path, base, options.format) for name in ("validation", "test") if (path := getattr(options, name)) is not None}
    return assemble(
        tables["events"],
        tables["items"],
        tables["users"],
        columns=options.columns,
        types=options.types,
        prompt=options.prompt,
        parts=parts or None,
        folder=str(base),
        **common,
    )


def read_config(config: str | PathLike[str]) -> Dataset:
    """``[data]`` of a TOML file alone."""
    path = Path(config)
    try:
        sections = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path} is not there.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}.") from None
    try:
        options = DataOptions(**sections.get("data", {}))
    except ValidationError as error:
        raise ConfigError(faults(error, "[data]", DataOptions)) from None
    return open_dataset(options, path.parent)
