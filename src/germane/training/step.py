"""One step: gradients of a group of batches, added up, and what the optimisers make of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch

from ..batches import Batch, RowBatch
from ..errors import TrainingError
from ..models import Learned
from .options import TrainingOptions

__all__ = ["Stepper", "groups"]


class Stepper:
    """Takes steps. Batches of a group count by their weight, so that several small ones equal one large one."""

    def __init__(self, model: Learned, optimisers: Sequence[torch.optim.Optimizer], options: TrainingOptions, device: torch.device) -> None:
        self.model, self.optimisers, self.options, self.device = model, optimisers, options, device
        self.weights: dict[str, float] = dict(model.objective.heads)  # type: ignore[arg-type]

    def __call__(self, group: Sequence[Batch | RowBatch], rate: float, where: str) -> tuple[float, dict[str, float], float]:
        """The loss, that of each head, and the weight of what it was of. ``where``: the step in words, for what may go wrong."""
        for optimiser in self.optimisers:
            for parameters in optimiser.param_groups:
                parameters["lr"] = rate
            optimiser.zero_grad(set_to_none=True)
        total = sum(batch.weight for batch in group)
        loss_now, heads = 0.0, dict.fromkeys(self.weights, 0.0)
        for batch in group:
            share = batch.weight / (total or 1.0)
            told = self.model.loss(batch.to(self.device), self.model.objective)
            loss = sum((self.weights.get(head, 1.0) * value for head, value in told.items()), torch.zeros((), device=self.device))
            (loss * share).backward()
            loss_now += loss.item() * share
            heads |= {head: heads.get(head, 0.0) + value.item() * share for head, value in told.items()}
        if not math.isfinite(loss_now):
            raise TrainingError(f"the loss is not a number at {where}: lower training.learning_rate, or look for huge values.")
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.options.clip)
        for optimiser in self.optimisers:
            optimiser.step()
        return loss_now, heads, total


def groups(batches: Iterator[Batch] | Iterator[RowBatch], size: int) -> Iterator[list[Batch | RowBatch]]:
    """``size`` batches together; the last group may be smaller."""
    group: list[Batch | RowBatch] = []
    for batch in batches:
        group.append(batch)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group
