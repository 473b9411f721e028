"""The folder that a run is built in: what a training that stopped may go on with, and what was changed on the way."""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from ..errors import GermaneError, RunError
from ..training import Stopped
from ..types import Note
from ..writing import held

__all__ = ["begin", "begun", "changes", "how_to_go_on", "working"]

FREE = {
    "training": ("learning_rate", "clip", "batch", "accumulate", "negatives", "checkpointing"),
    "text": ("fresh", "batch", "states_memory"),
}
"""What may change when a training goes on: how long its steps are and of how much, for one that diverged or found too little memory. All else would
make another model, or weights that do not fit."""
CHANGED = "# from epoch "


@contextmanager
def begun(work: Path, resume: bool) -> Iterator[bool]:
    """Whether a training goes on in ``work``; else that is made anew. One that another training works in stays as it is."""
    goes_on = work.exists() and resume
    with held(work) if work.exists() else nullcontext():
        if not goes_on:
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir(parents=True)
        yield goes_on


def begin(work: Path, fingerprint: str, config: str, resume: bool) -> None:
    """Make ``work``, or see that it was begun with the same data (``fingerprint``) and, but for ``FREE``, the same config (TOML)."""
    with begun(work, resume) as goes_on:
        if goes_on:
            _go_on(work, fingerprint, config)
        else:
            (work / "config.toml").write_text(_head(fingerprint) + config, encoding="utf-8")


def _go_on(work: Path, fingerprint: str, config: str) -> None:
    said, head = work / "config.toml", _head(fingerprint)
    before = said.read_text(encoding="utf-8") if said.exists() else ""
    old, new = tomllib.loads(before), tomllib.loads(config)
    if not before.startswith(head) or _fixed(old) != _fixed(new):
        free = ", ".join(f"{section}.{key}" for section, keys in FREE.items() for key in keys)
        raise RunError(f"{work} was begun with another config or other data: resuming needs the same, but for {free}; add --replace to begin anew.")
    told = [line for line in before.splitlines() if line.startswith(CHANGED)]
    turned = list(_turned(old, new))
    if turned:
        told.append(f"{CHANGED}{_kept(work / 'checkpoint') + 1} on: {', '.join(turned)}")
    said.write_text("".join([head, *(f"{line}\n" for line in told), config]), encoding="utf-8")


def _head(fingerprint: str) -> str:
    return f"# data {fingerprint}\n"


def changes(work: Path) -> list[Note]:
    """What was changed each time that the training went on."""
    lines = (work / "config.toml").read_text(encoding="utf-8").splitlines() if (work / "config.toml").exists() else []
    return [Note("resumed", line.removeprefix("# ")) for line in lines if line.startswith(CHANGED)]


@contextmanager
def working(work: Path, resumable: bool = True) -> Iterator[None]:
    """Keep ``work`` for this training (``held``). Where the user has something to mend before any epoch was whole, it goes: the mended command finds
    its place free. Where the system does not let it be written (``RunError``), the same command goes on there. What is not ``resumable`` goes,
    whatever happens."""
    with held(work):
        try:
            yield
        except BaseException as error:
            for_users = isinstance(error, GermaneError) and not isinstance(error, RunError)
            if not resumable or (for_users and not any((work / "checkpoint").rglob("progress.json"))):
                shutil.rmtree(work, ignore_errors=True)
            raise


def how_to_go_on(stop: Stopped, checkpoint: Path | None) -> str:
    """What stopped a training, where its last good state lies, and what to do; of a training without checkpoints the first alone."""
    if checkpoint is None:
        return str(stop)
    kept = _kept(checkpoint)
    if not kept:
        return f"{stop} No epoch was whole yet, so nothing is kept: begin anew."
    return f"{stop} The state after epoch {kept} is kept in {checkpoint}: the same command with --resume {stop.change} goes on from there."


def _kept(checkpoint: Path) -> int:
    """Epochs that are done; of several trainings in a folder, those of the last."""
    found = sorted(checkpoint.rglob("progress.json"), key=lambda file: file.stat().st_mtime_ns)
    return int(json.loads(found[-1].read_text())["epoch"]) if found else 0


def _fixed(sections: dict[str, Any]) -> dict[str, Any]:
    """What has to stay."""
    left = {name: _without(part, FREE.get(name, ())) for name, part in sections.items()}
    return {name: part for name, part in left.items() if part != {}}


def _without(part: Any, keys: tuple[str, ...]) -> Any:
    return {key: value for key, value in part.items() if key not in keys} if isinstance(part, dict) else part


def _turned(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    for section, keys in FREE.items():
        for key in keys:
            was, now = (said.get(section, {}).get(key, "its default") for said in (old, new))
            if was != now:
                yield f"{section}.{key} = {now} (before: {was})"
