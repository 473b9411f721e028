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


def from_hub(name: str) -> Path:
    """The folder of a hub model such as ``"intfloat/e5-small-v2"``."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(name, local_files_only=True, allow_patterns=_FILES))
    except LocalEntryNotFoundError:
        folder = _download(name)
    except HFValidationError:
        raise ConfigError(f"{name!r} is neither a folder, nor a name of `germane weights list`, nor a hub name such as owner/model.") from None
    if not any(folder.glob("*.safetensors")):
        raise ConfigError(f"The hub model {name!r} has no safetensors file; Germane reads no pickles. Choose another model, or convert it.")
    return folder


def _download(name: str) -> Path:
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import RepositoryNotFoundError

    if os.environ.get("HF_HUB_OFFLINE", "").lower() in {"1", "true", "yes", "on"}:
        raise FetchError(f"{name!r} is not in the hub's cache, and HF_HUB_OFFLINE is set. With a connection, run: germane weights get {name}")
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
