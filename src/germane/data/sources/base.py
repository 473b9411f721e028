"""The contract of a known source: a folder goes in, three tables come out, and what their columns mean is known."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from ...component import Component
from ...errors import DataError
from ..tables import Table

__all__ = ["Source"]


class Source(Component, ABC):
    """A published data set. A config may say its own ``columns``, ``types`` and ``prompt``; these hold where it does not."""

    folder: ClassVar[str]
    """Its folder inside ``$GERMANE_DATA``."""
    origin: ClassVar[str] = ""
    """Which files it reads and where they are published: the end of the sentence that says that they are missing."""
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

    def home(self, path: Path | None) -> Path:
        """``path``, else the folder in ``$GERMANE_DATA``; an error that says what to put where if there is neither."""
        folder = path or self.local()
        if folder is not None and folder.is_dir():
            return folder
        data = os.environ.get("GERMANE_DATA")
        if path is not None:
            sought = f"{path} is no folder"
        else:
            sought = f"GERMANE_DATA = {data!r} holds no folder {self.folder}" if data else "neither [data] path nor GERMANE_DATA is said"
        raise DataError(
            f"{type(self).__name__} does not fetch itself, and {sought}: "
            f"put its files into a folder and say it by [data] path, or into $GERMANE_DATA/{self.folder}. {self.origin}"
        )

    def file(self, folder: Path, *names: str) -> Path:
        """The file in ``folder``; of several names the first that is there."""
        for name in names:
            if (folder / name).is_file():
                return folder / name
        raise DataError(f"{folder} holds no {' or '.join(names)}, which {type(self).__name__} reads. {self.origin}")
