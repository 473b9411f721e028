"""The contract of a known source: a folder goes in, three tables come out, and what their columns mean is known."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from ...component import Component
from ..tables import Table

__all__ = ["Source"]


class Source(Component, ABC):
    """A published data set. A config may say its own ``columns``, ``types`` and ``prompt``; these hold where it does not."""

    folder: ClassVar[str]
    """Its folder inside ``$GERMANE_DATA``."""
    columns: ClassVar[Mapping[str, Any]]
    types: ClassVar[Mapping[str, str]] = {}
    prompt: ClassVar[str | None] = None

    @abstractmethod
    def read(self, path: Path | None = None) -> tuple[Table, Table | None, Table | None]:
        """Events, items and users, columns called as in the source's files. ``path``: a folder of its files; absent: wherever they are found."""

    def local(self) -> Path | None:
        """The folder in ``$GERMANE_DATA``, where there is one."""
        home = os.environ.get("GERMANE_DATA")
        folder = Path(home) / self.folder if home else None
        return folder if folder is not None and folder.is_dir() else None
