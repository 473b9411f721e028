"""Language models from the hub: what its cache holds, else fetched, as safetensors only; an unreachable hub is an error within seconds."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

from ..data.fetch import within
from ..errors import ConfigError, FetchError

__all__ = ["from_hub"]

_FILES = ["*.json", "*.txt", "*.model", "*.safetensors"]  # no pickles, no code
_PATIENCE = 4.0  # seconds until a hub that does not answer counts as unreachable
_STALLED = 60.0  # seconds without a byte until a download counts as broken off; the library's own retries have no end that is worth waiting for


def from_hub(name: str, *, whole: bool = False) -> Path:
    """The folder of a hub model such as ``"intfloat/e5-small-v2"``.

    What the cache holds is taken as it is where the hub's list of the model's files lies beside it, which the library compares it with. A download
    that broke off, or what another program read of the model, may lack files, and how its vectors are made stands in the small ones: it is completed
    first. Where it cannot be, one that can be read is read all the same, and that is said; not where it is to be ``whole``.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    here: Path | None = None
    try:
        here = Path(snapshot_download(name, local_files_only=True, allow_patterns=_FILES))
    except LocalEntryNotFoundError:
        pass
    except HFValidationError:
        raise ConfigError(f"{name!r} is neither a folder, nor a name of `germane weights list`, nor a hub name such as owner/model.") from None
    if here is not None and _listed(here):
        return _usable(name, here)
    try:
        folder = _download(name)
    except (ConfigError, FetchError):  # out of reach, or not public to who asks now
        if here is None or whole or _lacks(here):
            raise
        print(f"{name} is read as the hub's cache holds it; whether that is all of it, the hub could not be asked.", file=sys.stderr)
        return here
    return _usable(name, folder)


def _listed(folder: Path) -> bool:
    return (folder.parents[1] / "trees" / f"{folder.name}.json").is_file()


def _lacks(folder: Path) -> str:
    """Of what a model cannot be read without, the first that is not there."""
    if not (folder / "config.json").is_file():
        return "config.json"
    return "" if any(folder.glob("*.safetensors")) else "safetensors file; Germane reads no pickles"


def _usable(name: str, folder: Path) -> Path:
    if lacks := _lacks(folder):
        raise ConfigError(f"The hub model {name!r} has no {lacks}. Choose another model, or convert it.")
    return folder


def _download(name: str) -> Path:
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import RepositoryNotFoundError

    if os.environ.get("HF_HUB_OFFLINE", "").lower() in {"1", "true", "yes", "on"}:
        raise FetchError(
            f"{name!r} is not, or not whole, in the hub's cache, and HF_HUB_OFFLINE is set. With a connection, run: germane weights get {name}"
        )
    try:
        about = within(_PATIENCE, lambda: HfApi().model_info(name, timeout=_PATIENCE))
        licence = getattr(about.card_data, "license", None) or "not stated"
        print(f"Fetching {name} from the hub (licence: {licence}).", file=sys.stderr)

        def fetch() -> str:
            # By its branch: what was fetched by a revision's number is not found by the name alone later.
            return snapshot_download(name, allow_patterns=_FILES, etag_timeout=_PATIENCE)

        return Path(within(_STALLED, fetch, come=lambda: _held(name)))
    except RepositoryNotFoundError:
        raise ConfigError(f"{name!r} is neither a folder, nor a name of `germane weights list`, nor a public model of the hub.") from None
    except Exception as error:  # many libraries' errors mean the same here: no answer
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise FetchError(
            f"The model {name!r} could not be fetched from the hub ({reason}). With a connection, run: germane weights get {name}"
        ) from None


def _held(name: str) -> int:
    """Bytes of a model that have come."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    blobs = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=name, repo_type="model") / "blobs"
    total = 0
    for path in blobs.glob("*"):
        with suppress(FileNotFoundError):  # whole by now, under another name
            total += path.stat().st_size
    return total
