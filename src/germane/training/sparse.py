"""Gradients that hold the rows that a step read, and nothing of the rest of a table: of big ones until the weights move, and by ``[training] sparse``
also then."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ConfigError, TrainingError
from ..models import Learned
from .distributed import is_sharded

__all__ = ["LazyAdam", "check_read_by_rows", "clip_norm", "gather_by_rows", "spread", "tables_of"]

LARGE = 1 << 22
"""Numbers of a table from which on each part of a step's gradient as long as the table is worth sparing."""


def tables_of(model: Learned, rows: set[int], sparse: bool) -> list[Tensor]:
    """Tables of vectors that learn and have one of these numbers of rows, each once; told whether their gradients are to be sparse."""
    found = {}
    for part in model.modules():
        if isinstance(part, nn.Embedding) and part.weight.requires_grad and len(part.weight) in rows and part.weight.shape[1] > 1:
            part.sparse = sparse
            found[id(part.weight)] = part.weight
    if sparse and not found:
        raise ConfigError(f"[training] sparse = true: {type(model).__name__} has no table of items or users that learns; leave it out.")
    return list(found.values())


def gather_by_rows(model: Learned, rows: set[int]) -> None:
    """Big tables of one of these numbers of rows gather what each reading of a step adds to their gradient by rows, unless every step reads them
    whole. Until ``spread`` makes it dense, memory is that of what was read; dense gradients that are added up would be two as long as the table."""
    for part in model.modules():
        if isinstance(part, nn.Embedding) and len(part.weight) in rows:
            big = part.weight.requires_grad and part.weight.numel() >= LARGE and not is_sharded(part.weight)
            part.sparse = big and not ("ranking" in model.objective.heads and model.objective.loss == "softmax")


def spread(parameters: Iterable[Tensor]) -> None:
    """Gathered gradients as long as their tables, for rules that move every row."""
    for parameter in parameters:
        if parameter.grad is not None and parameter.grad.is_sparse:
            parameter.grad = parameter.grad.to_dense()


def check_read_by_rows(tables: Iterable[Tensor]) -> None:
    """After the way back: an error where a model read a table whole, so that its gradient is dense all the same."""
    if any(table.grad is not None and not table.grad.is_sparse for table in tables):
        raise TrainingError("[training] sparse = true: this model reads a table whole in each step, so nothing would be saved; leave it out.")


def clip_norm(parameters: Iterable[Tensor], most: float, add: Callable[[Tensor], None] = lambda own: None) -> Tensor:
    """Scale gradients, sparse and dense, so that all of them together have at most this norm; returns what it was. ``add`` sums over the processes
    what each holds of sharded tables.

    torch's ``clip_grad_norm_`` takes dense ones only. Rows that a batch read twice are added up first, as their norm is that of the sum.
    """
    held, own = list[Tensor](), list[Tensor]()
    for parameter in parameters:
        if parameter.grad is not None and parameter.grad.is_sparse:
            parameter.grad = parameter.grad.coalesce()
            held.append(parameter.grad.values())
        elif parameter.grad is not None:
            (own if is_sharded(parameter) else held).append(parameter.grad)
    norm = torch.nn.utils.get_total_norm(held)
    if own:
        square = torch.nn.utils.get_total_norm(own).square()
        add(square)
        norm = (norm.square() + square).sqrt()
    held += own
    if held:
        torch._foreach_mul_(held, (most / (norm + 1e-6)).clamp(max=1.0).to(held[0].dtype))
    return norm


class LazyAdam(torch.optim.SparseAdam):
    """Adam of the rows that a step read: only their means move, and only they. A row that each step reads goes as with Adam; one that is read
    seldom keeps its momentum until then. No weight decay, which would touch every row.

    >>> table = nn.Embedding(1000, 4, sparse=True)
    >>> before = table.weight.detach().clone()
    >>> rule = LazyAdam([table.weight], lr=0.1)
    >>> table(torch.tensor([3])).sum().backward()
    >>> rule.step()
    >>> (table.weight != before).any(dim=1).nonzero().ravel().tolist()
    [3]
    """

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Steps come back from a checkpoint as tensors; as such they would be powers in float32, and resuming would not be exact."""
        super().load_state_dict(state_dict)
        for state in self.state.values():
            state["step"] = int(state["step"])
