"""The one training loop: epochs over a model's loss, early stopping on a validation figure, checkpoints that resume exactly."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..batches import Batch, RowBatch, Rows, Timelines
from ..errors import TrainingError
from ..models import Learned
from .optimisers import optimisers_of
from .options import TrainingOptions
from .running_mean import RunningMean

__all__ = ["Trained", "choose_device", "train_model"]


class Validation(Protocol):
    """Judges the model as it stands."""

    smaller_is_better: bool

    def __call__(self) -> float: ...


@dataclass
class Trained:
    """How training went."""

    best_epoch: int = 0
    """From 1."""
    best: float | None = None
    """The validation figure of that epoch."""
    curve: list[dict[str, float]] = field(default_factory=list)
    """Per epoch: loss and validation figure."""


def choose_device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise TrainingError(f"device {name!r} is not there ({str(error).splitlines()[0]}): use auto, cpu or cuda.") from None
    return device


def train_model(
    model: Learned,
    feed: Timelines | Rows,
    options: TrainingOptions,
    *,
    seed: int = 0,
    validate: Validation | None = None,
    checkpoint: Path | None = None,
    progress: Callable[[int, int, int, float, float | None], None] | None = None,
) -> Trained:
    """Fit ``model`` on the batches of ``feed``.

    ``validate`` gives the figure that decides; without it all ``epochs`` are run. ``checkpoint`` is a folder that holds the
    state after each epoch: an interrupted training goes on from there and ends with the same weights, since every epoch draws from a
    generator seeded with (seed, epoch). ``progress`` hears (epoch, step, steps, loss, figure).
    """
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    try:
        return _run(model, feed, options, seed, validate, checkpoint, progress)
    finally:
        torch.set_flush_denormal(False)  # the caller's numbers keep their smallest values


def _run(
    model: Learned,
    feed: Timelines | Rows,
    options: TrainingOptions,
    seed: int,
    validate: Validation | None,
    checkpoint: Path | None,
    progress: Callable[[int, int, int, float, float | None], None] | None,
) -> Trained:
    device = choose_device(options.device)
    model.to(device)
    dataset = feed.table.dataset
    optimisers = optimisers_of(model, options, dataset.n_items, dataset.n_users)
    mean = RunningMean(model, options.average) if options.average else None
    trained, best_state = Trained(), None
    smaller = validate is not None and validate.smaller_is_better
    begin = 0
    if checkpoint is not None and (checkpoint / "progress.json").exists():
        begin, trained, best_state = _resume(checkpoint, model, optimisers, mean)
    weights: dict[str, float] = dict(model.objective.heads)  # type: ignore[arg-type]
    steps = math.ceil(len(feed) / options.accumulate)
    for epoch in range(begin, options.epochs):
        if epoch - trained.best_epoch >= options.patience and validate is not None and trained.best_epoch:
            break
        torch.manual_seed(seed * 100_003 + epoch)
        rng = np.random.default_rng([seed, epoch])
        model.train()
        total, done = 0.0, 0
        for group in _groups(feed.draw(rng), options.accumulate):
            rate = options.learning_rate * _schedule(options, epoch * steps + done, steps)
            for optimiser in optimisers:
                for parameters in optimiser.param_groups:
                    parameters["lr"] = rate
                optimiser.zero_grad(set_to_none=True)
            loss_now = 0.0
            weight = sum(batch.weight for batch in group) or 1.0
            for batch in group:
                told = model.loss(batch.to(device), model.objective)
                loss = sum((weights.get(head, 1.0) * value for head, value in told.items()), torch.zeros((), device=device))
                (loss * (batch.weight / weight)).backward()
                loss_now += loss.item() * batch.weight / weight
            if not math.isfinite(loss_now):
                raise TrainingError(
                    f"the loss is not a number at epoch {epoch + 1}, step {done + 1}: lower training.learning_rate, or look for huge values."
                )
            torch.nn.utils.clip_grad_norm_(model.parameters(), options.clip)
            for optimiser in optimisers:
                optimiser.step()
            if mean is not None:
                mean.update(epoch * steps + done)
            total, done = total + loss_now, done + 1
            if progress is not None:
                progress(epoch + 1, done, max(steps, done), loss_now, None)  # random cuts may make a few more batches
        with mean.worn() if mean is not None else nullcontext():
            figure = None
            if validate is not None:
                model.eval()
                figure = validate()
            trained.curve.append({"epoch": epoch + 1, "loss": total / max(done, 1)} | ({"validation": figure} if figure is not None else {}))
            if figure is None or trained.best is None or (figure < trained.best if smaller else figure > trained.best):
                trained.best_epoch, trained.best = epoch + 1, figure
                if validate is not None or (mean is not None and epoch + 1 == options.epochs):
                    best_state = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
        if progress is not None:
            progress(epoch + 1, done, max(steps, done), total / max(done, 1), figure)
        if checkpoint is not None:
            _save(checkpoint, epoch + 1, model, optimisers, mean, trained, best_state)
    if best_state is not None:
        model.load_state_dict(best_state)
    model.to("cpu").eval()
    return trained


def _schedule(options: TrainingOptions, step: int, steps_an_epoch: int) -> float:
    if step < options.warmup:
        return (step + 1) / options.warmup
    share = min(1.0, (step - options.warmup) / max(1, options.epochs * steps_an_epoch - options.warmup))
    return {"constant": 1.0, "linear": 1 - share, "cosine": 0.5 * (1 + math.cos(math.pi * share))}[options.schedule]


def _groups(batches: Iterator[Batch] | Iterator[RowBatch], size: int) -> Iterator[list[Batch | RowBatch]]:
    group: list[Batch | RowBatch] = []
    for batch in batches:
        group.append(batch)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


def _save(
    folder: Path,
    epoch: int,
    model: Learned,
    optimisers: list[torch.optim.Optimizer],
    mean: RunningMean | None,
    trained: Trained,
    best: dict[str, Tensor] | None,
) -> None:
    """Weights, the best weights and the optimisers' state as safetensors; progress.json last, so that a torn write is never read."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"model.{name}": tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    tensors |= {f"best.{name}": tensor.cpu().contiguous() for name, tensor in (best or {}).items()}
    tensors |= {f"mean.{name}": tensor.cpu().contiguous() for name, tensor in (mean.state() if mean is not None else {}).items()}
    for which, optimiser in enumerate(optimisers):
        for number, state in optimiser.state_dict()["state"].items():
            said = {name: torch.as_tensor(value).cpu().contiguous() for name, value in state.items() if value is not None}
            tensors |= {f"optimiser.{which}.{number}.{name}": value for name, value in said.items()}
    name = f"epoch-{epoch}.safetensors"
    save_file(tensors, folder / name)
    written = {
        "epoch": epoch,
        "weights": name,
        "best_epoch": trained.best_epoch,
        "best": trained.best,
        "curve": trained.curve,
    }
    (folder / "progress.json.new").write_text(json.dumps(written))
    os.replace(folder / "progress.json.new", folder / "progress.json")
    for old in folder.glob("epoch-*.safetensors"):
        if old.name != name:
            old.unlink()


def _resume(
    folder: Path, model: Learned, optimisers: list[torch.optim.Optimizer], mean: RunningMean | None
) -> tuple[int, Trained, dict[str, Tensor] | None]:
    said = json.loads((folder / "progress.json").read_text())
    tensors = load_file(folder / said["weights"])
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
    trained = Trained(said["best_epoch"], said["best"], said["curve"])
    return said["epoch"], trained, best or None
