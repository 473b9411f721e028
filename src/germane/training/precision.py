"""``[training] precision``: how many bits the products of a step are worked out in, where the device is faster for it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import torch
from torch import Tensor

from ..errors import TrainingError

__all__ = ["Precision", "PrecisionName", "chosen_precision"]

PrecisionName = Literal["float32", "bf16", "fp16", "auto"]
HALVES: tuple[PrecisionName, ...] = ("bf16", "fp16")
TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def chosen_precision(name: PrecisionName, device: torch.device) -> PrecisionName:
    """What ``auto`` means on this device; the others as they are, or refused with the reason where the device would be slower by them.

    >>> chosen_precision("float32", torch.device("cpu"))
    'float32'
    """
    if name == "float32":
        return name
    if name == "auto" and device.type == "cpu":
        return "float32"  # the flagship's products are small, and gain nothing by bf16 on CPUs that have units for it
    if name == "auto":
        return next((half for half in HALVES if against(half, device) is None), "float32")
    if reason := against(name, device):
        raise TrainingError(f'[training] precision = "{name}": {reason}; say "float32", or "auto" for the best that a device has.')
    return name


def against(name: str, device: torch.device) -> str | None:
    """Why a precision would be no gain on this device; None: it is one."""
    if device.type == "cuda":
        if name == "bf16" and not torch.cuda.is_bf16_supported(including_emulation=False):
            return "this GPU has no units for bf16 and would emulate it, so it would be slower; fp16 may be one"
        if name == "fp16" and torch.version.hip is None and torch.cuda.get_device_capability(device)[0] < 7:
            return "this GPU has no tensor cores, so it would be slower"
        return None
    if device.type != "cpu":
        return f"it is for CPUs and CUDA devices, and this one is {device.type}"
    if name == "fp16":
        return "it is for GPUs; on a CPU it would be slower, and its gradients would vanish"
    if not cpu_units() & {"amx_bf16", "avx512_bf16", "sve_bf16", "bf16"}:
        return "this CPU has no units for bf16 (AMX, AVX512_BF16, or bf16 of ARM), and would be several times slower by it"
    return None


def cpu_units() -> set[str]:
    """What this CPU has, in torch's names; nothing where torch is too old to tell."""
    told: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return {name for name, there in told.items() if there is True}


class Precision:
    """The products of a step in a precision, through torch's autocast; weights, sums of gradients and losses stay in float32.

    With fp16 losses are scaled up before the way back, so that small gradients do not vanish; a step whose gradients overflow is left out, and the
    scale made smaller (Micikevicius et al., Mixed Precision Training, 2018).
    """

    def __init__(self, name: PrecisionName, device: torch.device) -> None:
        self.name = chosen_precision(name, device)
        self.device = device
        self.scaler = torch.amp.GradScaler(device.type) if self.name == "fp16" else None

    def autocast(self) -> AbstractContextManager[Any]:
        return nullcontext() if self.name == "float32" else torch.autocast(self.device.type, dtype=TYPES[self.name])

    def scaled(self, loss: Tensor) -> Tensor:
        """What to go back from."""
        return loss if self.scaler is None else self.scaler.scale(loss)

    def unscale(self, optimisers: Sequence[torch.optim.Optimizer]) -> None:
        """Gradients to their own size, before they are clipped."""
        if self.scaler is not None:
            for optimiser in optimisers:
                self.scaler.unscale_(optimiser)

    @property
    def skips(self) -> bool:
        """Whether a step that overflows is left out, since a smaller scale may do. Below 1 it is no overflow of half precision any more."""
        return self.scaler is not None and self.scaler.get_scale() >= 1

    def step(self, optimisers: Sequence[torch.optim.Optimizer], finite: bool = True) -> None:
        """``finite``: whether all gradients are, on all processes. Where they are not all weights stay, also those of an optimiser whose own did not
        overflow: they were clipped with the others. Each process then takes the smaller scale, also one whose part of a table did not overflow."""
        if self.scaler is None:
            for optimiser in optimisers:
                optimiser.step()
            return
        if finite:
            for optimiser in optimisers:
                self.scaler.step(optimiser)
            self.scaler.update()
        else:
            self.scaler.update(self.scaler.get_scale() * self.scaler.get_backoff_factor())
            self.scaler.load_state_dict({**self.scaler.state_dict(), "_growth_tracker": 0})
