"""``[data]``: where the tables are, and what they mean; and from there to a dataset."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator, model_validator

from ..component import Options, faults, find
from ..errors import ConfigError, DataError, nearest
from . import clock
from .assemble import assemble
from .columns import Columns, Rules
from .dataset import Dataset
from .format import Format
from .logged import read_log
from .readers import read_files
from .values import said_types

__all__ = ["DataOptions", "open_dataset", "read_config", "read_toml"]


class DataOptions(Options):
    """``[data]``. The tables come from one of: files (``events``), ``sql``, the service's ``store``, or a known source (``use``)."""

    events: str | None = None
    """File or glob: csv, tsv, parquet, jsonl. Relative to the config's folder."""
    items: str | None = None
    """File or glob of the items."""
    users: str | None = None
    """File or glob of the users."""
    sql: str | None = None
    """A database's address; a password only as ``env:NAME``."""
    events_query: str | None = None
    """The query whose rows are the events."""
    items_query: str | None = None
    """The query whose rows are the items."""
    users_query: str | None = None
    """The query whose rows are the users."""
    store: bool = False
    """The service's own log, at ``$GERMANE_STORE``, else ``germane.db`` in the current folder."""
    use: str | None = None
    """A known source, such as ``MovieLens100K``."""
    path: str | None = None
    """The folder of a known source."""
    validation: str | None = None
    """File of validation events, for the split ``Given``."""
    test: str | None = None
    """File of test events, for the split ``Given``."""
    prompt: str | None = None
    """An item's text over its columns, such as ``"{title}. {genres}."``."""
    timezone: str | None = None
    """Of epoch numbers; absent: UTC."""
    format: Format = Field(default_factory=Format)
    """How text files are written, where detection errs."""
    columns: dict[str, Any] = Field(default_factory=dict)
    """See ``Columns``; a known source's own columns hold where nothing is said."""
    types: dict[str, str] = Field(default_factory=dict)
    """Column = category, number, categories (several values; ``"categories:;"`` names their separator), text or time, where detection errs."""
    rules: Rules = Field(default_factory=Rules)
    """Which events count, and for how much."""

    @field_validator("columns")
    @classmethod
    def _meanings(cls, value: dict[str, Any]) -> dict[str, Any]:
        try:
            Columns.model_validate(value)
        except ValidationError as error:
            raise ValueError("; ".join(fault.rstrip(".?") for fault in faults(error, "[data.columns]", Columns))) from None
        return value

    @field_validator("types")
    @classmethod
    def _known_types(cls, value: dict[str, str]) -> dict[str, str]:
        try:
            said_types(value)
        except ConfigError as error:
            raise ValueError("; ".join(fault.rstrip(".?") for fault in error.faults)) from None
        return value

    @field_validator("timezone")
    @classmethod
    def _a_zone(cls, value: str | None) -> str | None:
        try:
            clock.check_zone(value)
        except DataError:
            raise ValueError("should be a time zone such as 'Europe/Berlin', or 'UTC'") from None
        return value

    @model_validator(mode="after")
    def _one_place(self) -> DataOptions:
        said = [name for name in ("events", "sql", "use") if getattr(self, name) is not None] + (["store"] if self.store else [])
        if len(said) != 1:
            raise ValueError(f"the tables come from one place: events, sql, store or use; {' and '.join(said) or 'none'} is said")
        needs = {"events": ("items", "users"), "sql": ("events_query", "items_query", "users_query"), "use": ("path",)}
        for home, names in needs.items():
            for name in names:
                if getattr(self, name) is not None and home not in said:
                    raise ValueError(f"{name} goes with {home}, and {said[0]} is said")
        if self.sql is not None and self.events_query is None:
            raise ValueError("sql needs events_query")
        return self


def read_config(config: str | os.PathLike[str]) -> Dataset:
    """The dataset that the ``[data]`` section of a TOML file describes; other sections are not looked at."""
    file = Path(config)
    sections = read_toml(file)
    if not isinstance(sections.get("data"), Mapping):
        raise ConfigError(f"{file} has no section [data]: say where the events are.{nearest('data', sections)}")
    try:
        options = DataOptions.model_validate(sections["data"])
    except ValidationError as error:
        raise ConfigError(faults(error, "[data]", DataOptions)) from None
    return open_dataset(options, file.resolve().parent)


def read_toml(path: str | Path) -> dict[str, Any]:
    """The sections of a file, not looked at yet."""
    file = Path(path)
    try:
        return tomllib.loads(file.read_bytes().decode("utf-8-sig"))
    except IsADirectoryError:
        hint = f" It is a run; its config is {file / 'config.toml'}." if (file / "about.json").exists() else ""
        raise ConfigError(f"{file} is a folder and not a config: give a TOML file.{hint}") from None
    except FileNotFoundError:
        there = [found.name for found in sorted(file.parent.glob("*.toml"))] if file.parent.is_dir() else []
        raise ConfigError(
            f"{file} is not there and so not a config: give a TOML file; germane init EVENTS writes one.{nearest(file.name, there)}"
        ) from None
    except OSError as error:
        raise ConfigError(f"{file} is not a config that can be read ({error.strerror}).") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{file} is not TOML: it is not written in UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file} is not TOML: {error}.") from None


def open_dataset(options: DataOptions, base: Path) -> Dataset:
    """Read the tables and assemble them. ``base``: the folder that paths are relative to."""
    events, items, users, defaults, folder = _tables(options, base)
    given = {part: getattr(options, part) for part in ("validation", "test")}
    parts = {part: read_files(path, base, options.format) for part, path in given.items() if path is not None}
    columns = Columns.model_validate({**defaults.get("columns", {}), **options.columns})
    return assemble(
        events,
        items,
        users,
        columns=columns,
        types={**defaults.get("types", {}), **options.types},
        rules=options.rules,
        prompt=options.prompt or defaults.get("prompt"),
        timezone=options.timezone,
        parts=parts,
        folder=str(folder),
    )


def _tables(options: DataOptions, base: Path) -> tuple[Any, Any, Any, Mapping[str, Any], Path]:
    """Events, items, users, what a known source says of them, and where they were."""
    if options.use is not None:
        from . import sources
        from .sources.base import Source

        source = find(options.use, sources, Source, "[data]")()
        path = None if options.path is None else base / Path(options.path).expanduser()
        return *source.read(path), {"columns": source.columns, "types": source.types, "prompt": source.prompt}, path or source.local() or base
    if options.events is not None:
        events = read_files(options.events, base, options.format, _named(options))
        items, users = (None if path is None else read_files(path, base, options.format) for path in (options.items, options.users))
        return events, items, users, {}, (base / options.events).parent
    if options.sql is None:
        return *read_log(Columns.model_validate(options.columns), options.types, _named(options)), {"columns": {"time": "time"}}, base
    from .sql import read_query

    queries = {name: getattr(options, name) for name in ("events_query", "items_query", "users_query")}
    found = [None if query is None else read_query(options.sql, query, base, name) for name, query in queries.items()]
    return found[0], found[1], found[2], {}, base


def _named(options: DataOptions) -> set[str]:
    """Every column of the events that may have a meaning; the others need not be read."""
    columns = Columns.model_validate(options.columns)
    said = columns.model_dump(exclude={"user", "item"})
    names = {columns.in_events("user"), columns.in_events("item"), *options.types}
    for value in said.values():
        names |= {value} if isinstance(value, str) else set(value or ())
    return names
