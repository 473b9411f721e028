"""What holds a run folder together: ``about.json`` with the hash of every file, checked at loading, renewed when a run is judged again."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from . import signing
from .errors import RunError
from .writing import folder_of, whole_folder

__all__ = ["FORMAT", "about_of", "as_json", "check", "known", "metrics_file", "plain", "read_json", "rewrite", "seal"]

FORMAT = 1
ABOUT, SIGNATURE = "about.json", "about.sig"
FIGURES = ("metrics.json", "per_user.parquet", "per_segment.parquet", "card.md")
"""What judging writes. Who judges again has no key to sign with, so no signature covers them."""
NEEDED = {
    *("config.toml", "model.safetensors", "items.parquet", "users.parquet", "history.parquet"),
    *("vocabulary.json", "policy.json", "metrics.json", "per_user.parquet"),
}

SAID = {"data": ("events", "users", "items", "fingerprint"), "parameters": ("total", "trainable"), "seconds": (), "versions": ()}
"""What ``about.json`` tells by name, and what each of these names at least where it is there."""


def seal(folder: Path, facts: Mapping[str, Any], key: str | os.PathLike[str] | None = None) -> None:
    """Write ``about.json``: ``facts`` and the hashes of all that lies there; with a private ``key`` also its signature."""
    about = {**plain(facts), "files": {path.relative_to(folder).as_posix(): _hash(path) for path in _files(folder)}}
    (folder / ABOUT).write_bytes(as_json(about))
    if key is not None:
        (folder / SIGNATURE).write_text(signing.sign(_signed(about), Path(key)) + "\n", encoding="ascii")


def check(run: str | os.PathLike[str], trust: str | os.PathLike[str] | None = None, *, figures: bool = True) -> dict[str, Any]:
    """What ``about.json`` says of a folder that is whole: nothing missing, nothing changed, no pickle, no newer format; with ``trust``, a public
    key, signed by its private half. ``figures``: whether those are looked at; who writes them anew need not."""
    folder = folder_of(run)
    about = read_json(folder, ABOUT)
    if trust is not None:
        _check_signature(folder, about, Path(trust))
    if not isinstance(about.get("format"), int) or about["format"] > FORMAT:
        raise RunError(f"{folder / ABOUT} says format {about.get('format')!r}; this version reads up to {FORMAT}: upgrade germane.")
    for path in _files(folder):
        if _is_pickle(path):
            raise RunError(f"{path} looks like a pickle: pickles can run code and are never read. Remove it.")
    files = about.get("files")
    if not isinstance(files, dict) or not files.keys() >= NEEDED:
        raise RunError(f"{folder / ABOUT} does not list the files of a run: the run is damaged.")
    for name, expected in files.items():
        path = folder / name
        if name in FIGURES and not figures:
            continue
        mend = f"germane evaluate {folder} writes its figures anew" if name in FIGURES else "take it from where it came, or train again"
        if Path(name).is_absolute() or ".." in Path(name).parts or not path.is_file():
            raise RunError(f"{path} is missing: the run is not whole; {mend}.")
        if _hash(path) != expected:
            raise RunError(f"{path} is not the file that was written (its hash differs): the run is damaged; {mend}.")
    return about


def rewrite(run: str | os.PathLike[str], files: Mapping[str, bytes]) -> None:
    """Put ``files`` into a run in the place of those of the same names, and their hashes into ``about.json``: all of it or nothing."""
    folder = folder_of(run)
    about = read_json(folder, ABOUT)
    about["files"] = {**about["files"], **{name: hashlib.sha256(content).hexdigest() for name, content in files.items()}}
    with whole_folder(folder) as work:
        _link(folder, work, {ABOUT, *files})
        for name, content in {**files, ABOUT: as_json(plain(about))}.items():
            (work / name).write_bytes(content)
        shutil.copymode(folder, work)


def read_json(folder: Path, name: str) -> dict[str, Any]:
    path = folder / name
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"{path} is missing: {folder} is not a whole run folder.") from None
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read ({type(error).__name__}): the run is damaged.") from None
    if not isinstance(found, dict):
        raise RunError(f"{path} does not hold an object: the run is damaged.")
    return found


def about_of(folder: Path) -> dict[str, Any]:
    """What ``about.json`` says, without what is not known."""
    about = known(read_json(folder, ABOUT))
    for name, needed in SAID.items():
        if (said := about.get(name, {})) and not (isinstance(said, dict) and said.keys() >= set(needed)):
            names = f" that names {', '.join(needed)}" if needed else ""
            raise RunError(f"{folder / ABOUT}: {name!r} is not an object{names}: the run is damaged; take it from where it came, or train again.")
    return about


def metrics_file(rows: Sequence[Mapping[str, Any]], judged: Mapping[str, Any] | None = None) -> bytes:
    """``metrics.json``. ``judged``: what the rows were judged on and by, where that is known."""
    return as_json({"format": FORMAT, **({} if judged is None else {"judged": dict(judged)}), "rows": list(rows)})


def as_json(value: Any) -> bytes:
    """JSON that every reader takes: infinity and what is no number are refused, since it has no words for them."""
    try:
        return json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False).encode()
    except ValueError:
        where = next(_not_finite(value, ""), "a value")
        raise RunError(
            f"{where} is no finite number, so it cannot be saved: is a number in the data absurdly large? Mend it there, or leave its column out."
        ) from None


def _not_finite(value: Any, place: str) -> Iterator[str]:
    """Where in it there are numbers that JSON does not know."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _not_finite(inner, f"{place}.{name}".lstrip("."))
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _not_finite(inner, f"{place}[{number}]")
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"{place} = {value}"


def plain(value: Any) -> Any:
    """What JSON has no number for is null.

    >>> plain({"loss": float("nan"), "losses": {"click": 0.5}})
    {'loss': None, 'losses': {'click': 0.5}}
    """
    if isinstance(value, Mapping):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def known(said: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is null."""
    return {name: known(value) if isinstance(value, Mapping) else value for name, value in said.items() if value is not None}


def _check_signature(folder: Path, about: Mapping[str, Any], key: Path) -> None:
    try:
        signature = (folder / SIGNATURE).read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        raise RunError(
            f"{folder} is not signed: there is no {SIGNATURE} beside its {ABOUT}; load it without a key only if you know its maker."
        ) from None
    if not signing.verify(_signed(about), signature, key):
        raise RunError(f"{folder} was not signed by the key of {key}, or was changed since: it is not loaded.")


def _signed(about: Mapping[str, Any]) -> bytes:
    """What a signature is of: all that is said but the hashes of the figures."""
    files = about.get("files")
    kept = {name: said for name, said in files.items() if name not in FIGURES} if isinstance(files, dict) else files
    return json.dumps({**about, "files": kept}, sort_keys=True).encode()


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_pickle(path: Path) -> bool:
    """By its first bytes, whatever its name is; also one that ``torch.save`` has zipped, and what is named as one."""
    with path.open("rb") as file:
        head = file.read(256)
    if head[3:9] == b"\0\0\0\0\0{":  # the header of a safetensors file, whose length may begin like a pickle
        return False
    marked = head[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05") or (head[:4] == b"PK\x03\x04" and b".pkl" in head)
    return marked or path.suffix in (".pkl", ".pickle", ".pt", ".pth", ".bin", ".joblib")


def _link(folder: Path, work: Path, but: Collection[str]) -> None:
    """The files of ``folder`` in ``work`` too, under hard links where the file system has them."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_dir():
            (work / name).mkdir()
        elif name.as_posix() not in but:
            try:
                os.link(path, work / name)
            except OSError:
                shutil.copy2(path, work / name)
