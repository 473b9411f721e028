"""Where networks work: the device that an option names."""

from __future__ import annotations

import torch

from ..errors import TrainingError

__all__ = ["choose_device"]


def choose_device(name: str) -> torch.device:
    """``auto``: a GPU where there is one; an error where the machine has no such device.

    >>> choose_device("cpu")
    device(type='cpu')
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise TrainingError(f"device {name!r} is not there ({str(error).splitlines()[0]}): use auto, cpu or cuda.") from None
    return device
