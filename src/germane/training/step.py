"""One step: gradients of a group of batches, added up, and what the optimisers make of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import nullcontext

import torch
from torch import Tensor

from ..batches import Batch, RowBatch
from ..losses import step_draws
from ..models import Learned, TwoSided
from .adversarial import Adversary
from .contrast import contrast
from .distributed import Processes
from .masked import masked
from .optimisers import set_rates
from .options import TrainingOptions
from .precision import Precision
from .sparse import check_read_by_rows, clip_norm, spread
from .trouble import NotANumber

__all__ = ["Stepper"]

CARRY = 1
"""Apart from what the step's batches draw."""


class Stepper:
    """Takes steps. Batches of a group count by what each head's loss is a mean over, so that several small ones, on one process or on several, equal
    one large one."""

    def __init__(
        self,
        model: Learned,
        optimisers: Sequence[torch.optim.Optimizer],
        options: TrainingOptions,
        device: torch.device,
        processes: Processes = Processes(),  # noqa: B008 (it is frozen)
        adversary: Adversary | None = None,
    ) -> None:
        self.model, self.optimisers, self.options, self.device, self.processes = model, optimisers, options, device, processes
        self.precision, self.adversary = Precision(options.precision, device), adversary
        self.weights: dict[str, float] = dict(model.objective.heads)  # type: ignore[arg-type]

    def __call__(
        self, group: Sequence[Batch | RowBatch], factor: float, where: str, draws: Sequence[int] = (0,)
    ) -> tuple[float, dict[str, float], float]:
        """The loss, that of each head, and the weight of what it was of. ``factor``: of the learning rates; ``where``: the step in words, for what
        may go wrong; ``draws``: what the step's batches draw in common depends on it."""
        set_rates(self.optimisers, factor)
        for optimiser in self.optimisers:
            optimiser.zero_grad(set_to_none=True)
        total, counts = sum(batch.weight for batch in group), [batch.counts() for batch in group]
        totals = {head: sum(count.get(head, 0.0) for count in counts) for head in self.weights}
        loss_now, heads = 0.0, dict.fromkeys(self.weights, 0.0)
        for whole, held in zip(group, counts, strict=True):
            batch = whole if self.processes.count == 1 else whole.share(self.processes.number, self.processes.count)
            share = batch.weight / (total or 1.0)
            shares = {head: count / (totals[head] or 1.0) for head, count in (held if batch is whole else batch.counts()).items() if head in totals}
            if self.options.sharded and not share:
                batch = whole  # all processes read sharded tables, or none; this one's reading counts nothing
            if not len(batch.weights):
                continue  # fewer rows than processes
            loss, told = self._gradients(batch, share, shares, draws)
            loss_now += loss.item()
            heads |= {head: heads[head] + value.item() * shares.get(head, share) for head, value in told.items() if head in heads}
        self._carry(draws)
        loss_now, *by_head = self.processes.total([loss_now, *heads.values()])
        if not math.isfinite(loss_now):
            raise NotANumber("loss", where, self.model, self.options)
        self._move(where)
        return loss_now, dict(zip(heads, by_head, strict=True)), total

    def _carry(self, draws: Sequence[int]) -> None:
        """On to a language model that learns, once for all batches of the step."""
        gathered = self.model.gathered()
        if gathered is not None:
            self.processes.add_up([gathered])
            with step_draws((*draws, CARRY), self.device), self.precision.autocast():
                self.model.carry(self.processes.number, self.processes.count)

    def _move(self, where: str) -> None:
        if self.options.sparse:
            check_read_by_rows(table for optimiser in self.optimisers[-1:] for group in optimiser.param_groups for table in group["params"])
        self.processes.add_up(self.model.parameters())
        moved = [rule for rule in self.optimisers if any(p.grad is not None for group in rule.param_groups for p in group["params"])]
        self.precision.unscale(moved)
        finite = math.isfinite(clip_norm(self.model.parameters(), self.options.clip, self.processes.add).item())
        if not finite and not self.precision.skips:  # the weights would be lost
            raise NotANumber("gradient", where, self.model, self.options)
        if not self.options.sparse:
            spread(self.model.parameters())
        self.precision.step(moved, finite)

    def _gradients(
        self, batch: Batch | RowBatch, share: float, shares: Mapping[str, float], draws: Sequence[int]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The batch's part of the step's loss, whose gradients are added to those that are there; and the loss of each head."""
        adversary = self.adversary if self.adversary is not None and self.adversary.active else None
        with adversary.watched() if adversary is not None else nullcontext():
            loss, told = self._measured(batch, share, shares, draws)
            self.precision.scaled(loss).backward()
        if adversary is not None:
            adversary.again(lambda: self._measured(batch, share, shares, draws)[0], lambda disturbed: self.precision.scaled(disturbed).backward())
        return loss, told

    def _measured(self, batch: Batch | RowBatch, share: float, shares: Mapping[str, float], draws: Sequence[int]) -> tuple[Tensor, dict[str, Tensor]]:
        with step_draws(draws, self.device), self.precision.autocast():
            batch = batch.to(self.device)
            told = self.model.loss(batch, self.model.objective)
            heads = (self.weights.get(head, 1.0) * shares.get(head, share) * value for head, value in told.items())
            total = sum(heads, torch.zeros((), device=self.device))
            if isinstance(self.model, TwoSided) and isinstance(batch, Batch):
                if (views := self.options.contrast) is not None:
                    total = total + share * views.weight * contrast(self.model, batch, views)
                if (hidden := self.options.masked) is not None:
                    total = total + share * hidden.weight * masked(self.model, batch, hidden)
        return total, told
