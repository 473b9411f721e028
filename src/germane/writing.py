"""Folders that take their place when they are whole, and what is said where the system refuses to write."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .errors import GermaneError, RunError

__all__ = [
    "GOES_ON",
    "check_place",
    "check_writable",
    "folder_of",
    "held",
    "mask",
    "partial_of",
    "put",
    "refusal",
    "shared",
    "synced",
    "whole_folder",
    "writing",
]

GOES_ON = "what was kept before, and any older run, is whole: make room, and the same command with --resume goes on"
"""Where a training cannot write."""
MARKS = ("about.json", "pretraining.json")
"""By which a folder is known for what training or pretraining has written."""
_AT_HERE, _EXCHANGE = -100, 2
"""AT_FDCWD and RENAME_EXCHANGE of Linux."""


def refusal(error: BaseException) -> tuple[int | None, str] | None:
    """The system's error number, where it is told, and its words; None: the error is none of the system's.

    safetensors, polars and tokenizers raise classes of their own that only quote what the system said.

    >>> refusal(RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"))
    (28, 'No space left on device')
    >>> refusal(ValueError("shapes differ")) is None
    True
    """
    if isinstance(error, GermaneError):
        return None
    if quoted := re.search(r"([^:(]+) \(os error (\d+)\)", str(error)):
        return int(quoted[2]), quoted[1].strip()
    return (error.errno, error.strerror or str(error)) if isinstance(error, OSError) else None


@contextlib.contextmanager
def writing(what: object, then: str) -> Iterator[None]:
    """Where the system refuses, one sentence: what could not be written, why, and ``then`` (how things stand and what to do)."""
    try:
        yield
    except Exception as error:
        said = refusal(error)
        if said is None:
            raise
        raise RunError(f"{what} could not be written ({said[1]}); {then}.") from None


def check_place(target: Path, replace: bool) -> None:
    """Refuse one that is taken, and to replace a folder that no run and no language model lies in. What an interrupted replacement had moved out of
    the way is put back first."""
    old = _aside(target)
    if old.is_dir() and not os.path.lexists(target):
        os.rename(old, target)
    if target.exists() and not replace:
        raise RunError(f"{target} exists: choose another folder, or add --replace (in Python: replace=True).")
    if target.exists() and not target.is_dir():
        raise RunError(f"{target} is a file: choose another place for the folder.")
    if target.exists() and any(target.iterdir()) and not any((target / name).exists() for name in MARKS):
        raise RunError(f"{target} holds something else than a run, which --replace does not delete: choose another folder.")
    check_writable(target)


def partial_of(target: Path) -> Path:
    """The folder that is worked in until ``target`` is whole."""
    return target.parent / f"{target.name}.partial"


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep ``folder`` for this block: whoever else asks is refused. The system lets go of it when the process ends, however it ends; where it knows
    no such locks (Windows, some file systems of a network), nobody is refused."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(f"{folder} is in use by another training: wait for its end, or stop it first.") from None
        except OSError:
            pass
        yield
    finally:
        os.close(handle)


def folder_of(run: str | os.PathLike[str]) -> Path:
    """``run``, which has to be a folder."""
    folder = Path(run)
    if folder.is_dir():
        return folder
    old = _aside(folder)
    if old.is_dir():
        raise RunError(f"{folder} is not there, since its replacement was interrupted; what stood there is whole in {old}: rename that to {folder}.")
    raise RunError(f"{folder} is not a run folder: give the folder that germane train wrote.")


@contextlib.contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """An empty folder that takes the place of ``target`` when the block ends well; else nothing is left of it, and what stood there stays.

    It is read by whom the system's mask (umask) lets; one that is only to be read is not replaced.
    """
    check_writable(target)
    stays = f"what stood at {target} is whole: " if target.exists() else ""
    place = target.resolve() if target.is_symlink() else target
    with writing(target, f"{stays}make room or mend that, or choose another folder"):
        place.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
        work.chmod(0o777 & ~mask())  # a temporary folder is private, a run is not
        try:
            yield work
            put(work, place)
        except BaseException:
            shutil.rmtree(work, ignore_errors=True)
            raise


def put(work: Path, target: Path) -> None:
    """Rename ``work`` to ``target`` once all of it is on disk, so that a crash leaves the older folder or the newer one. The older one goes; where
    the system cannot exchange both in one step, it lies beside meanwhile, and is put back where that fails."""
    for path in (*work.rglob("*"), work):
        synced(path)
    if not target.exists():
        os.rename(work, target)
    elif _exchanged(work, target):
        shutil.rmtree(work, ignore_errors=True)
    else:
        old = _aside(target)
        shutil.rmtree(old, ignore_errors=True)  # of a replacement that was interrupted when it was as good as done
        os.rename(target, old)
        try:
            os.rename(work, target)
        except BaseException:
            os.rename(old, target)
            raise
        shutil.rmtree(old, ignore_errors=True)
    with contextlib.suppress(OSError):
        synced(target.parent)


def shared(folder: Path) -> None:
    """Let its files be read by whom the system's mask lets, whatever wrote them: safetensors makes them private."""
    allowed = 0o666 & ~mask()
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            path.chmod(path.stat().st_mode & 0o777 | allowed)


def mask() -> int:
    """What new files are not allowed."""
    found = os.umask(0)
    os.umask(found)
    return found


def synced(path: Path) -> None:
    """What was written is on disk; folders too, where the system can."""
    if os.name != "posix" or path.is_symlink():
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def check_writable(target: Path) -> None:
    """Refuse to replace a folder that is only to be read, by anyone: it could be moved away, but not deleted."""
    if not target.is_dir():
        return
    for folder in (target, *(path for path in target.rglob("*") if path.is_dir())):
        if not folder.stat().st_mode & 0o222 or not os.access(folder, os.W_OK):
            raise RunError(f"{folder} is only to be read, so nothing is changed in it: make it writable (chmod u+w), or copy the run and take that.")


def _exchanged(one: Path, other: Path) -> bool:
    """Both names in one step; False: this system or file system cannot."""
    rename = getattr(ctypes.CDLL(None), "renameat2", None) if sys.platform == "linux" else None
    return rename is not None and rename(_AT_HERE, os.fsencode(one), _AT_HERE, os.fsencode(other), _EXCHANGE) == 0


def _aside(target: Path) -> Path:
    """Where the older folder lies while it is replaced."""
    return target.parent / f".{target.name}.old"
