"""Every error that Germane raises on purpose.

A message is one sentence or a few: what was given, what is allowed, what to do. The command line prints it and ends with
``exit_code``; the service turns it into problem details. Anything else that escapes is our own fault.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

__all__ = [
    "AbilityError",
    "ConfigError",
    "ConflictError",
    "DataError",
    "FetchError",
    "FullError",
    "GermaneError",
    "NotFoundError",
    "QueryError",
    "RunError",
    "ServiceError",
    "StoreError",
    "TrainingError",
    "nearest",
]


class GermaneError(Exception):
    """Something that the user can mend."""

    exit_code = 2


class ConfigError(GermaneError):
    """A config, an option or a command that cannot be read. Holds every fault found, not only the first."""

    def __init__(self, faults: str | Sequence[str]) -> None:
        self.faults: tuple[str, ...] = (faults,) if isinstance(faults, str) else tuple(faults)
        super().__init__("\n".join(self.faults))


class DataError(GermaneError):
    """A table that cannot be read, or does not hold what the config says it holds."""


class QueryError(GermaneError):
    """A query that cannot be answered. ``field`` names the key at fault."""

    def __init__(self, message: str, field: str | None = None) -> None:
        self.field = field
        super().__init__(message)


class AbilityError(GermaneError):
    """A part is asked for something that it cannot do; the message names the parts that can."""


class RunError(GermaneError):
    """A run folder that is missing, damaged, of a newer version or not to be trusted."""


class FetchError(GermaneError):
    """Weights or data that could not be fetched; the message names the command that fetches them."""


class TrainingError(GermaneError):
    """Training that cannot begin or had to stop (a loss that is not a number, memory, a resume that does not fit)."""


class StoreError(GermaneError):
    """The event store cannot be opened or refuses what it was given."""


class FullError(StoreError):
    """The disk of the store has no space left."""


class ConflictError(StoreError):
    """The same id came with other content before."""


class NotFoundError(StoreError):
    """No such item, user or recommendation."""


class ServiceError(GermaneError):
    """A service that cannot be reached, refuses the caller, or failed itself."""


def nearest(word: object, allowed: Iterable[object], say: str = "Did you mean {}?") -> str:
    """A hint that names the allowed word closest to ``word``, with a leading space; empty when none is close.

    >>> nearest("wether", ["weather", "device"])
    ' Did you mean weather?'
    >>> nearest("zzz", ["weather"])
    ''
    """
    spelled = {str(name).lower(): str(name) for name in allowed}
    close = difflib.get_close_matches(str(word).lower(), list(spelled), n=1, cutoff=0.6)
    return " " + say.format(spelled[close[0]]) if close else ""
