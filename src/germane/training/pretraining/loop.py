"""Steps over texts or pairs: looks at the held-out loss, early stopping, the best weights, checkpoints that resume exactly."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...errors import TrainingError
from ..checkpoints import Trained, resume, save
from ..options import TrainingOptions
from ..schedules import factor_at
from ..told import Progress, Told
from .options import Objective, PretrainingOptions
from .task import Learning, Task

__all__ = ["pretrain_model"]


def pretrain_model(
    task: Task, objective: Objective, options: PretrainingOptions, *, seed: int, checkpoint: Path | None = None, progress: Progress | None = None
) -> Trained:
    """Let ``task`` learn until its held-out loss falls no more, or for all steps. Afterwards it has the best weights, which may be those of before;
    so it has where the loss is no number any more, and an error says the step.

    ``curve`` holds ``step``, ``loss`` (mean since the last look) and ``held_out``, first that of step 0; ``best_epoch`` is the look with the best.
    ``checkpoint``: a folder with the state after each look, from which an interrupted pretraining goes on and ends with the same weights, since each
    step draws from a generator seeded with (seed, step). To ``progress`` the steps up to a look are an epoch, whose figure is the held-out loss.
    """
    learning = Learning(task.model)
    optimiser = _optimiser(learning, options)
    total, between = options.total(len(task)), options.between(len(task))
    rates = TrainingOptions(learning_rate=options.rate(objective), schedule="linear", warmup=min(options.warmup, total // 2), epochs=1)
    looks, trained, best = resume(checkpoint, learning, [optimiser], None) if checkpoint is not None else (0, Trained(), None)
    if not trained.curve:
        trained.best = task.held_out()
        if not math.isfinite(trained.best):
            raise TrainingError("the held-out loss is not a number before anything was learnt: the language model's weights are broken.")
        trained.curve.append({"step": 0, "held_out": trained.best})
        best = _copied(learning)
        _keep(checkpoint, 0, learning, optimiser, trained, best)
    drawn, batches, losses = -1, list[Any](), list[float]()
    for step in range(int(trained.curve[-1]["step"]), total):
        if looks - trained.best_epoch >= options.patience:
            break
        passed, place = divmod(step, len(task))
        if passed != drawn:
            drawn, batches = passed, task.epoch(np.random.default_rng([seed, passed]))
        torch.manual_seed(seed * 1_000_003 + step)
        rate = rates.rate * factor_at(rates, step, total)
        try:
            losses.append(_step(task, batches[place], learning, optimiser, rate, step + 1))
        except TrainingError:
            learning.load_state_dict(best or {})
            raise
        said = Told(
            epoch=looks + 1,
            step=len(losses),
            steps=min(between, total - step - 1 + len(losses)),
            loss=losses[-1],
            losses={objective: losses[-1]},
            rate=rate,
            targets=float(options.batch),
            ahead=-(-total // between) - looks - 1,
        )
        if progress is not None:
            progress(said)
        if (step + 1) % between == 0 or step + 1 == total:
            looks += 1
            figure, loss = task.held_out(), float(np.mean(losses))
            trained.curve.append({"step": step + 1, "loss": loss, "held_out": figure})
            if math.isfinite(figure) and (trained.best is None or figure < trained.best):
                trained.best_epoch, trained.best, best = looks, figure, _copied(learning)
            _keep(checkpoint, looks, learning, optimiser, trained, best)
            if progress is not None:
                of = float(options.batch * len(losses))
                progress(replace(said, loss=loss, losses={objective: loss}, targets=of, figure=figure, ended=True))
            losses = []
    learning.load_state_dict(best or {})
    task.model.eval()
    return trained


def _optimiser(learning: Learning, options: PretrainingOptions) -> torch.optim.AdamW:
    parameters = list(learning.parameters.values())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": options.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]])


def _step(task: Task, batch: Any, learning: Learning, optimiser: torch.optim.AdamW, rate: float, step: int) -> float:
    for group in optimiser.param_groups:
        group["lr"] = rate
    optimiser.zero_grad(set_to_none=True)
    task.model.train()
    loss = task.loss(batch)
    if not math.isfinite(loss.item()):
        raise TrainingError(f"the loss is not a number at step {step}: lower pretraining.learning_rate, or look for broken weights.")
    loss.backward()
    torch.nn.utils.clip_grad_norm_(list(learning.parameters.values()), 1.0)
    optimiser.step()
    return loss.item()


def _copied(learning: Learning) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in learning.state_dict().items()}


def _keep(
    checkpoint: Path | None, looks: int, learning: Learning, optimiser: torch.optim.AdamW, trained: Trained, best: dict[str, torch.Tensor] | None
) -> None:
    if checkpoint is not None:
        save(checkpoint, looks, learning, [optimiser], None, trained, best)
