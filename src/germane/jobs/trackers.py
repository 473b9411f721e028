"""TensorBoard and Weights & Biases, through accelerate: whether they can be written to, and opening them."""

from __future__ import annotations

import netrc
import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..errors import AbilityError, ConfigError, TrainingError
from ..training.tracking import TrackingOptions

if TYPE_CHECKING:
    from accelerate.tracking import TensorBoardTracker, WandBTracker

__all__ = ["check_tracking", "has_account", "open_tensorboard", "open_wandb"]

LIBRARIES = {"tensorboard": "TensorBoard", "wandb": "Weights & Biases"}


def check_tracking(options: TrackingOptions) -> None:
    """Refuse, before anything is read, a tracker that is not installed, and sending without an account."""
    for name, said in LIBRARIES.items():
        if name in options.use and find_spec(name) is None:
            raise AbilityError(f"[tracking] use: {said} is not installed: pip install 'germane[tracking]', or leave {name!r} out.")
    if "wandb" in options.use and not options.offline and not has_account():
        raise ConfigError(
            "[tracking] offline = false sends to Weights & Biases, and there is no account: no WANDB_API_KEY and no line in .netrc; "
            "run wandb login, or say offline = true, which needs none."
        )


def has_account() -> bool:
    """Whether W&B's key lies where W&B itself looks for it. The key is not read further."""
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    host = urlsplit(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    said = os.environ.get("NETRC")
    for path in [Path(said)] if said else [Path.home() / ".netrc", Path.home() / "_netrc"]:
        try:
            if netrc.netrc(path).authenticators(host) is not None:
                return True
        except (OSError, netrc.NetrcParseError):
            continue
    return False


def open_tensorboard(folder: Path, name: str, step: int) -> TensorBoardTracker:
    """Events in ``folder/name``. What an earlier training of this name wrote from ``step`` on is void, as TensorBoard reads it."""
    from accelerate import PartialState
    from accelerate.tracking import TensorBoardTracker

    PartialState(cpu=True)  # accelerate's trackers ask it which process this is
    tracker = TensorBoardTracker(name, folder, purge_step=step)
    tracker.start()
    return tracker


def open_wandb(options: TrackingOptions, folder: Path, name: str, run_id: str, config: Mapping[str, Any]) -> WandBTracker:
    """A run of W&B that takes no notice of the terminal, the code, the packages or the machine: points and config are all there is.

    ``run_id`` goes on where an interrupted training stopped. ``WANDB_MODE`` in the environment may ask for less than the config, never for more.
    """
    import wandb
    from accelerate import PartialState
    from accelerate.tracking import WandBTracker

    PartialState(cpu=True)
    folder.mkdir(parents=True, exist_ok=True)
    asked = os.environ.get("WANDB_MODE", "")
    mode = asked if asked in ("offline", "disabled") else "offline" if options.offline else "online"
    quiet = wandb.Settings(
        silent=True,
        console="off",
        disable_git=True,
        disable_code=True,
        save_code=False,
        x_disable_stats=True,
        x_disable_meta=True,
        x_save_requirements=False,
    )
    resume = "allow" if mode == "online" else None  # offline, a second folder of the same id is joined when both are sent
    tracker = WandBTracker(options.project, name=name, id=run_id, dir=str(folder), mode=mode, resume=resume, config=dict(config), settings=quiet)
    try:
        tracker.start()
    except (wandb.Error, OSError) as error:
        said = str(error).splitlines()
        raise TrainingError(f"Weights & Biases cannot be written to ({said[0] if said else type(error).__name__}): say offline = true.") from None
    return tracker
