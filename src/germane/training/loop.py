"""The one training loop: epochs over a model's loss, early stopping on a validation figure, checkpoints that resume exactly."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from ..batches import Rows, Timelines
from ..encoders.device import choose_device
from ..errors import TrainingError
from ..models import Learned
from .adversarial import Adversary
from .checkpoints import Trained, part_of, resume, save, settle
from .distributed import Processes, is_sharded
from .epoch_mean import EpochMean
from .optimisers import optimisers_of
from .options import TrainingOptions
from .recompute import recompute
from .refreshing import Refreshing
from .running_mean import RunningMean
from .schedules import factor_at
from .sharding import shard, shard_frozen, whole
from .step import Stepper
from .told import Progress, Told
from .trouble import OutOfMemory, is_out_of_memory

__all__ = ["train_model"]

APART = 7_919_000_003
"""Between the seeds of two processes, for what they draw each on its own."""


class Validation(Protocol):
    """Judges the model as it stands."""

    smaller_is_better: bool

    def __call__(self) -> float: ...


def train_model(
    model: Learned,
    feed: Timelines | Rows,
    options: TrainingOptions,
    *,
    seed: int = 0,
    validate: Validation | None = None,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
    refresh: Callable[[], None] | None = None,
) -> Trained:
    """Fit ``model`` on the batches of ``feed``.

    ``validate`` gives the figure that decides; without it all ``epochs`` are run. ``checkpoint`` is a folder that holds the
    state after each epoch: an interrupted training goes on from there and ends with the same weights, since every epoch draws from a
    generator seeded with (seed, epoch). ``progress`` hears each step and the end of each epoch.
    ``refresh`` is called at the end of each epoch in which a language model learns, before validation, and as often within it as that says: vectors
    of texts are worked out anew.
    Where memory runs out or a loss is not a number, training stops with the checkpoint of the last whole epoch as it was.
    Started in several processes, each takes a share of every batch, and the first one alone validates, keeps checkpoints and tells ``progress``;
    all end with the same weights.
    """
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    try:
        return _run(model, feed, options, seed, validate, checkpoint, progress, refresh)
    except (RuntimeError, MemoryError) as error:
        if is_out_of_memory(error):
            raise OutOfMemory(model, options, feed.size) from None
        raise
    finally:
        torch.set_flush_denormal(False)  # the caller's numbers keep their smallest values


def _run(
    model: Learned,
    feed: Timelines | Rows,
    options: TrainingOptions,
    seed: int,
    validate: Validation | None,
    checkpoint: Path | None,
    progress: Progress | None,
    refresh: Callable[[], None] | None,
) -> Trained:
    processes = Processes.joined(options.device)
    device = processes.device or choose_device(options.device)
    recompute(model, options.checkpointing)
    model.to(device)
    learning = model.texts_that_learn()
    if options.sharded:
        shard(model, processes)
        if learning is not None:
            shard_frozen(learning.model.body, learning.learned, processes)
            if processes.count > 1:  # layers in parts are gone through as often on all, and each would keep other texts
                learning.lower.below = 0
        checkpoint = part_of(checkpoint, processes.number, processes.count) if checkpoint is not None else None
    dataset = feed.table.dataset
    optimisers = optimisers_of(model, options, dataset.n_items, dataset.n_users)
    mean = RunningMean(model, options.average) if options.average else None
    averaged_from = math.ceil(options.swa * options.epochs)
    if options.swa:
        mean = EpochMean(model, averaged_from)
    adversary = Adversary.of(model, options.adversarial, dataset.n_items, dataset.n_users) if options.adversarial is not None else None
    step = Stepper(model, optimisers, options, device, processes, adversary)
    smaller = validate is None or validate.smaller_is_better
    scaler = step.precision.scaler
    if checkpoint is not None and options.sharded:
        settle(checkpoint, processes.each)
    begin, trained, best_state = resume(checkpoint, model, optimisers, mean, scaler) if checkpoint is not None else (0, Trained(), None)
    if processes.from_first(begin) != begin:
        raise TrainingError(f"not all processes find the same checkpoint in {checkpoint}: put the run where all of them can read it, or begin anew.")
    processes.alike(part for part in (*model.parameters(), *model.buffers()) if not is_sharded(part))
    steps = math.ceil(len(feed) / options.accumulate)
    texts = Refreshing(learning, refresh)
    texts.resume(begin, trained.waited)
    for epoch in range(begin, options.epochs):
        if validate is not None and trained.best_epoch:
            if texts.wakes(epoch, settled=epoch - max(trained.best_epoch, averaged_from) >= options.patience):
                trained.waited, trained.settled = epoch, trained.best_epoch
                if best_state is not None and trained.best_epoch < epoch:
                    model.load_state_dict(best_state)
                    if mean is not None:
                        mean.begin()
            if epoch - max(trained.best_epoch, averaged_from, texts.waiting) >= options.patience:
                break
        torch.manual_seed(seed * 100_003 + epoch + APART * processes.number)
        rng = np.random.default_rng([seed, epoch])
        model.train()
        texts.begin(epoch)
        if adversary is not None:
            adversary.begin(epoch + 1)
        total, of, done, factor = 0.0, 0.0, 0, 1.0
        heads: dict[str, float] = {}
        figures = [told.get("validation", told["loss"]) for told in trained.curve]
        drawn = feed.steps(rng, options.accumulate)  # random cuts may make more than ``steps``
        for group in drawn:
            factor = factor_at(options, epoch * steps + done * steps / len(drawn), steps, figures, smaller=smaller)
            loss, by_head, weight = step(group, factor, f"epoch {epoch + 1}, step {done + 1}", (seed, epoch, done))
            if mean is not None:
                mean.update(epoch * steps + done)
            total, of, done = total + loss, of + weight, done + 1
            texts.stepped(done, len(drawn))
            heads = {head: heads.get(head, 0.0) + value for head, value in by_head.items()}
            if progress is not None and processes.first:
                progress(Told(epoch + 1, done, len(drawn), loss, by_head, options.rate * factor, weight))
        if mean is not None:
            mean.ended(epoch, trained.waited)
        figure = None
        with mean.worn() if mean is not None else nullcontext():
            texts.ended()
            if validate is not None:
                model.eval()
                with whole(model):
                    figure = processes.from_first(validate() if processes.first else 0.0)
            trained.curve.append({"epoch": epoch + 1, "loss": total / max(done, 1)} | ({"validation": figure} if figure is not None else {}))
            if figure is None or trained.best is None or (figure < trained.best if smaller else figure > trained.best):
                trained.best_epoch, trained.best = epoch + 1, figure
                if validate is not None or (mean is not None and epoch + 1 == options.epochs):
                    best_state = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
        if mean is not None:
            texts.ended()  # learned on from are the weights' own vectors
        if progress is not None and processes.first:
            means = {head: value / max(done, 1) for head, value in heads.items()}
            progress(Told(epoch + 1, done, len(drawn), total / max(done, 1), means, options.rate * factor, of, figure, ended=True))
        if checkpoint is not None and (processes.first or options.sharded):
            wait = processes.wait if options.sharded else lambda: None
            save(checkpoint, epoch + 1, model, optimisers, mean, trained, best_state, scaler, wait)
    trained.asleep = learning is not None and trained.best_epoch <= texts.waiting
    model.zero_grad(set_to_none=True)  # the last ones are as long as the weights
    if best_state is not None:
        model.load_state_dict(best_state)
    with whole(model, for_good=True):
        model.to("cpu").eval()
    return trained
