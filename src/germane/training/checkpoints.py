"""What is kept after each epoch, so that an interrupted training goes on and ends with the same weights."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..errors import RunError
from ..writing import GOES_ON, synced, writing
from .running_mean import RunningMean

__all__ = ["Stateful", "Trained", "part_of", "resume", "save", "settle"]

TOLD = "progress.json"
"""Which epoch was kept last, and where its weights lie."""
NEW = f"{TOLD}.new"


class Stateful(Protocol):
    """What has weights to keep: a module, or what of one learns."""

    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state_dict: Mapping[str, Any], /) -> Any: ...


@dataclass
class Trained:
    """How training went."""

    best_epoch: int = 0
    """From 1."""
    best: float | None = None
    """The validation figure of that epoch."""
    curve: list[dict[str, float]] = field(default_factory=list)
    """Per epoch: loss and validation figure."""
    waited: int = 0
    """Epochs after which a language model began to learn because all else had found its place; 0: it did not, or its options said when."""
    settled: int = 0
    """The best of these, from whose weights it began."""
    asleep: bool = False
    """Whether the best weights are of an epoch before a language model that was to learn did."""

    @property
    def again(self) -> tuple[int, int]:
        """How many epochs lead to the best weights when they are gone through once more, without those that validation threw away; and in how many of
        them a language model waits, where ``waited`` says that it did."""
        learnt = self.best_epoch > self.waited
        return max(1, self.best_epoch - (self.waited - self.settled) * learnt), self.settled if learnt else self.waited


def save(
    folder: Path,
    epoch: int,
    model: Stateful,
    optimisers: Sequence[torch.optim.Optimizer],
    mean: RunningMean | None,
    trained: Trained,
    best: dict[str, Tensor] | None,
    scaler: torch.amp.GradScaler | None = None,
    wait: Callable[[], object] = lambda: None,
) -> None:
    """Weights, the best weights and the optimisers' state as safetensors; progress.json last, so that a torn write is never read.

    ``scaler``: of losses in fp16. Of processes that keep a part each, ``wait`` comes back when all are there: none turns to the new epoch before
    all have written it, or lets go of the older one before all have turned (``settle``).
    """
    tensors = {f"model.{name}": tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    tensors |= {f"best.{name}": tensor.cpu().contiguous() for name, tensor in (best or {}).items()}
    tensors |= {f"mean.{name}": tensor.cpu().contiguous() for name, tensor in (mean.state() if mean is not None else {}).items()}
    for which, optimiser in enumerate(optimisers):
        for number, state in optimiser.state_dict()["state"].items():
            said = {name: torch.as_tensor(value).cpu().contiguous() for name, value in state.items() if value is not None}
            tensors |= {f"optimiser.{which}.{number}.{name}": value for name, value in said.items()}
    name = f"epoch-{epoch}.safetensors"
    written = {"epoch": epoch, "weights": name, "best_epoch": trained.best_epoch, "best": trained.best, "curve": trained.curve}
    written |= {"waited": trained.waited, "settled": trained.settled}
    if scaler is not None:
        written["scaler"] = scaler.state_dict()
    with writing(folder / name, GOES_ON):
        folder.mkdir(parents=True, exist_ok=True)
        save_file(tensors, folder / name)
        (folder / NEW).write_text(json.dumps(written))
        for new in (name, NEW):
            synced(folder / new)
    wait()
    with writing(folder / TOLD, GOES_ON):
        os.replace(folder / NEW, folder / TOLD)
    wait()
    for old in folder.glob("epoch-*.safetensors"):
        if old.name != name:
            old.unlink()


def part_of(folder: Path, number: int, count: int) -> Path:
    """Where one of ``count`` processes that keep a part each keeps its own; an error where another number of them did."""
    parts = [part for part in folder.glob("process-*") if (part / TOLD).exists() or (part / NEW).exists()]
    kept = len(parts) if any((part / TOLD).exists() for part in parts) else 1 if (folder / TOLD).exists() else count
    if kept != count:
        raise RunError(
            f"what is kept in {folder} was kept by {kept} process{'es' if kept > 1 else ''}, a part each, and {count} were started: start as many "
            "as then, or begin anew with --replace."
        )
    return folder / f"process-{number}" if count > 1 else folder


def settle(folder: Path, each: Callable[[float], list[float]]) -> None:
    """Of processes that keep a part each (``each``: what each of them says): where they were killed as they turned to a new epoch, those that had
    written it and not turned yet do so now."""
    kept, written = (_epoch(folder / name) for name in (TOLD, NEW))
    newest = max(each(kept))
    if kept < newest == written:
        os.replace(folder / NEW, folder / TOLD)


def _epoch(file: Path) -> int:
    """0 where there is none, or one that was torn."""
    try:
        return int(json.loads(file.read_text())["epoch"])
    except (OSError, ValueError, KeyError):
        return 0


def resume(
    folder: Path,
    model: Stateful,
    optimisers: Sequence[torch.optim.Optimizer],
    mean: RunningMean | None,
    scaler: torch.amp.GradScaler | None = None,
) -> tuple[int, Trained, dict[str, Tensor] | None]:
    """Epochs done, how they went and the best weights; the rest is put where it belongs. Nothing done where nothing was kept."""
    if not (folder / TOLD).exists():
        return 0, Trained(), None
    try:
        said = json.loads((folder / TOLD).read_text())
        tensors = load_file(folder / said["weights"])
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise RunError(f"what is kept in {folder} cannot be read ({type(error).__name__}): begin anew with --replace.") from None
    model.load_state_dict({name.removeprefix("model."): tensor for name, tensor in tensors.items() if name.startswith("model.")})
    best = {name.removeprefix("best."): tensor for name, tensor in tensors.items() if name.startswith("best.")}
    if mean is not None:
        mean.load({name.removeprefix("mean."): tensor for name, tensor in tensors.items() if name.startswith("mean.")})
    states = [optimiser.state_dict() for optimiser in optimisers]
    for name, tensor in tensors.items():
        if name.startswith("optimiser."):
            _, which, number, key = name.split(".", 3)
            states[int(which)]["state"].setdefault(int(number), {})[key] = tensor
    for optimiser, state in zip(optimisers, states, strict=True):
        optimiser.load_state_dict(state)
    if scaler is not None and "scaler" in said:
        scaler.load_state_dict(said["scaler"])
    trained = Trained(said["best_epoch"], said["best"], said["curve"], said.get("waited", 0), said.get("settled", 0))
    return said["epoch"], trained, best or None
