"""A tracker that writes a JSON object a line, beside TensorBoard's and W&B's."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from accelerate.tracking import GeneralTracker

from ..seal import plain
from ..writing import GOES_ON, writing

__all__ = ["JsonLines", "keep_before"]


class JsonLines(GeneralTracker):  # type: ignore[misc]
    """Each point is on disk as a line once it was told, so a file that an interruption left is whole but for its last line.

    Of several processes the loop tells one alone, so that this asks nobody which it is.
    """

    name = "json"
    requires_logging_directory = False

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.file: IO[str] | None = None

    @property
    def tracker(self) -> Path:
        return self.path

    def start(self) -> None:
        self.file = self.path.open("a", encoding="utf-8")

    def log(self, values: Mapping[str, Any], step: int | None = None, **kwargs: Any) -> None:
        assert self.file is not None
        with writing(self.path, GOES_ON):
            self.file.write(json.dumps(plain({"step": step, **values}), ensure_ascii=False, allow_nan=False) + "\n")
            self.file.flush()

    def finish(self) -> None:
        if self.file is not None:
            self.file.close()


def keep_before(path: Path, part: str, epoch: int) -> int:
    """Keep the lines that were told before this epoch of this part, and give the step of the last one; 0 where there is none."""
    if not path.exists():
        return 0
    kept: list[str] = []
    step = 0
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            said = json.loads(line)
        except ValueError:  # the line that an interruption tore
            break
        if said["part"] == part and said["epoch"] >= epoch:
            break
        kept.append(line)
        step = said["step"]
    new = path.with_name(f"{path.name}.new")
    new.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
    os.replace(new, path)
    return step
