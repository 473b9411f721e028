"""What a search may change: ranges beside the options that have them, and ``[search]``.

An option says how it is searched where it is written: ``width: Annotated[int, Searched(choices=(32, 64))] = 64``. One that says nothing is searched
only where ``[search] space`` names it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, PositiveInt, field_validator

from .component import Options
from .errors import ConfigError, nearest

__all__ = ["SEARCHABLE", "SearchOptions", "Searched", "held", "put", "ranges_of", "seconds_of", "searched_of"]

SEARCHABLE = ("text", "features", "model", "training")
"""Sections whose options may be searched: the others say what is judged, or what is done with a model that is trained."""
WORDS = ("low", "high", "log", "choices")
UNITS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True)
class Searched:
    """How an option is searched: anywhere from ``low`` to ``high``, whole numbers only where both are, or among ``choices``.

    ``log``: as many trials from 0.001 to 0.01 as from 0.01 to 0.1.

    >>> Searched(0.0, 0.5).ends, Searched(choices=(32, 64, 128)).ends
    ((0.0, 0.5), (32, 64, 128))
    """

    low: float | None = None
    high: float | None = None
    log: bool = False
    choices: tuple[Any, ...] = ()

    @property
    def ends(self) -> tuple[Any, ...]:
        """Values of which each has to be one that the option can have."""
        return self.choices or (self.low, self.high)

    @property
    def whole(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)

    def __contains__(self, value: object) -> bool:
        if self.choices:
            return value in self.choices
        if isinstance(value, bool) or not isinstance(value, int | float) or self.low is None or self.high is None:
            return False
        return self.low <= value <= self.high and (not self.whole or isinstance(value, int))

    def with_own(self, value: Any) -> Searched:
        """The same, wide enough to hold the config's own value; itself where there is no way to."""
        if value in self or isinstance(value, Mapping | list | tuple) or value is None:
            return self
        if self.choices:
            numbers = all(_number(one) for one in (*self.choices, value))
            more = (*self.choices, value)
            return Searched(choices=tuple(sorted(more)) if numbers else more)
        if not _number(value) or self.low is None or self.high is None or (self.log and value <= 0) or (self.whole and not isinstance(value, int)):
            return self
        return Searched(min(self.low, value), max(self.high, value), self.log)

    def as_json(self) -> Any:
        if self.choices:
            return list(self.choices)
        return {"low": self.low, "high": self.high} | ({"log": True} if self.log else {})

    def __str__(self) -> str:
        if self.choices:
            return ", ".join(map(str, self.choices))
        return f"{self.low:g} to {self.high:g}{', by its logarithm' if self.log else ''}"


class SearchOptions(Options):
    """``[search]``, read by ``germane search`` and by no other command."""

    trials: PositiveInt = 30
    """How many settings are tried at most, the config as it stands included."""
    time: str = "30m"
    """How long at most: a number and s, m or h."""
    space: dict[str, Any] = Field(default_factory=dict)
    """Options and where they are searched, beside those that say it themselves, or otherwise than they say: ``"model.width" = [32, 64]``,
    ``"training.learning_rate" = {low = 1e-4, high = 1e-2, log = true}``."""
    only: tuple[str, ...] | None = None
    """Of the options that say themselves how they are searched, only these, or those of these sections: ``["training", "model.dropout"]``.
    ``[]``: only what ``space`` names. Absent: all."""
    fixed: tuple[str, ...] = ()
    """Options, or sections, that stay as the config says."""
    pruning: Literal["median", "hyperband", "none"] = "median"
    """When a training is given up: ``median`` where its best validation figure so far is worse than half of the others had after as many epochs,
    ``hyperband`` where it is not among the best third of its bracket (Li et al., 2018), which suits hundreds of trials."""

    @field_validator("time")
    @classmethod
    def _a_time(cls, value: str) -> str:
        seconds_of(value)
        return value

    def ranges(self) -> dict[str, Searched]:
        """What ``space`` says, by ``section.key``."""
        return ranges_of(self.space)


def ranges_of(space: Mapping[str, Any]) -> dict[str, Searched]:
    """A ``space`` as it is written, by ``section.key``; every fault of it in one error."""
    found: list[str] = []
    made: dict[str, Searched] = {}
    for key, value in _flat(space):
        try:
            made[key] = _searched(key, value)
        except ConfigError as error:
            found += error.faults
    if found:
        raise ConfigError(found)
    return made


def seconds_of(written: str) -> float:
    """The seconds of a time as people write it.

    >>> seconds_of("90s"), seconds_of("1.5h")
    (90.0, 5400.0)
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smh])\s*", written)
    if match is None or float(match[1]) == 0:
        raise ValueError("should be a number above 0 and s, m or h, such as 90s, 30m or 2h")
    return float(match[1]) * UNITS[match[2]]


def searched_of(options: type[Options]) -> dict[str, Searched]:
    """The options of a class that say how they are searched."""
    said = {name: [one for one in field.metadata if isinstance(one, Searched)] for name, field in options.model_fields.items()}
    return {name: found[0] for name, found in said.items() if found}


def put(sections: dict[str, Any], key: str, value: Any) -> None:
    """Set ``section.key``; a whole number in it is a place in a list, as in ``model.members.0.width``.

    >>> sections = {"model": {"members": [{"use": "EASE"}]}}
    >>> put(sections, "model.members.0.l2", 5.0)
    >>> sections
    {'model': {'members': [{'use': 'EASE', 'l2': 5.0}]}}
    """
    *path, last = key.split(".")
    place: Any = sections
    for step in path:
        if isinstance(place, list) and step.isdecimal() and int(step) < len(place):
            place = place[int(step)]
        elif isinstance(place, dict):
            place = place.setdefault(step, {})
        else:
            raise ConfigError(f"{key}: there is no {step} for an option to stand in.")
    if not isinstance(place, dict):
        raise ConfigError(f"{key}: {path[-1]} holds no options.")
    place[last] = value


def held(sections: Mapping[str, Any], key: str) -> Any:
    """What the sections say of ``section.key``; None: nothing."""
    place: Any = sections
    for step in key.split("."):
        if isinstance(place, list) and step.isdecimal() and int(step) < len(place):
            place = place[int(step)]
        elif isinstance(place, Mapping):
            place = place.get(step)
        else:
            return None
    return place


def _flat(space: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """``"model.width"`` in quotes, or without them, which TOML reads as a table in a table."""
    for name, value in space.items():
        key = f"{before}{name}"
        if isinstance(value, Mapping) and value and not set(value) & set(WORDS) and _tables(value.values()):
            yield from _flat(value, f"{key}.")
        else:
            yield key, value


def _tables(values: Iterable[Any]) -> bool:
    return all(isinstance(value, Mapping | list) for value in values)


def _searched(key: str, value: Any) -> Searched:
    where = f"[search] space {key}"
    section, _, name = key.partition(".")
    if section not in SEARCHABLE or not name:
        whole = f"write section.option, the section one of {', '.join(SEARCHABLE)}"
        raise ConfigError(f"{where}: {whole}; the others do not change how a model learns.{nearest(section, SEARCHABLE)}")
    if isinstance(value, Mapping) and set(value) == {"choices"}:
        value = value["choices"]
    if isinstance(value, list | tuple):
        if not value:
            raise ConfigError(f"{where} = []: there is nothing to choose from; name values, or leave it out.")
        return Searched(choices=tuple(tuple(one) if isinstance(one, list) else one for one in value))
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where} = {value!r}: write a list of values, or {{low = …, high = …}}.")
    wrong = [name for name in value if name not in WORDS[:3]]
    if wrong:
        raise ConfigError([f"{where} has no {name!r}: a range has low, high and log.{nearest(name, WORDS)}" for name in wrong])
    low, high, log = value.get("low"), value.get("high"), value.get("log", False)
    if low is None or high is None or not (_number(low) and _number(high) and isinstance(log, bool)):
        raise ConfigError(f"{where}: a range needs two numbers, {{low = …, high = …}}, and may have log = true.")
    if not low < high:
        raise ConfigError(f"{where}: low = {low} should be less than high = {high}.")
    if log and low <= 0:
        raise ConfigError(f"{where}: low = {low} has no logarithm: begin above 0, or leave log out.")
    return Searched(low, high, log)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
