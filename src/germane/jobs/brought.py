"""Files that are brought to a run."""

from __future__ import annotations

from pathlib import Path

from ..config import read_toml
from ..data.format import Format
from ..data.readers import read_files
from ..data.tables import Table

__all__ = ["read_brought"]


def read_brought(run: str | Path, path: str | Path) -> Table:
    """A file as the run's config says that files are written (``[data.format]``); the path is the command line's own."""
    data = read_toml(Path(run) / "config.toml").get("data", {})
    return read_files(str(path), Path(), Format.model_validate(data.get("format", {})))
