"""``[training] sharded``: a table of vectors whose rows lie on several processes, and a language model whose frozen weights do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ..encoders.adaptation import in_bytes, layers_of
from ..errors import ConfigError
from ..models import Learned
from .distributed import Processes

__all__ = ["Rows", "shard", "shard_frozen", "whole"]


class Rows(nn.Module):
    """A table of which each process holds every ``count``-th row, with its gradient and its optimiser's state.

    A step asks for the rows that it reads, and sends their gradients back to where they lie: what it sends grows with these and not with the table.
    All processes have to read at the same time, as often as each other.

    Source: model-parallel embeddings as in Naumov et al., Deep Learning Recommendation Model, 2019.
    """

    def __init__(self, table: nn.Embedding, processes: Processes) -> None:
        super().__init__()
        self.processes, self.num_embeddings, self.embedding_dim = processes, table.num_embeddings, table.embedding_dim
        self.weight = nn.Parameter(table.weight.detach()[processes.number :: processes.count].clone())
        self.weight.sharded = True  # type: ignore[attr-defined]

    def forward(self, items: Tensor) -> Tensor:
        rows, place = items.unique(return_inverse=True)
        asked, counts = self.processes.gathered(rows)
        mine = slice(sum(counts[: self.processes.number]), sum(counts[: self.processes.number + 1]))
        vectors: Tensor = _Exchange.apply(self.weight, asked, mine, self.processes)  # type: ignore[no-untyped-call]
        return nn.functional.embedding(place, vectors)

    def table(self) -> nn.Embedding:
        """All of it, on every process."""
        parts, counts = self.processes.gathered(self.weight.detach())
        full = parts.new_empty(self.num_embeddings, self.embedding_dim)
        for number, part in enumerate(parts.split(counts)):
            full[number :: self.processes.count] = part
        return nn.Embedding(self.num_embeddings, self.embedding_dim, _weight=full)


class _Exchange(torch.autograd.Function):
    """Rows of all processes, of which each is told those that it asked for."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, asked: Tensor, mine: slice, processes: Processes) -> Tensor:
        ctx.here = asked % processes.count == processes.number
        ctx.rows, ctx.shape, ctx.processes = asked[ctx.here] // processes.count, weight.shape, processes
        told = weight.new_zeros(len(asked), weight.shape[1])
        told[ctx.here] = weight[ctx.rows]
        processes.add(told)
        return told[mine]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        summed, _ = ctx.processes.gathered(gradients[0])
        return summed.new_zeros(ctx.shape).index_add_(0, ctx.rows, summed[ctx.here]), None, None, None


def shard(model: Learned, processes: Processes) -> None:
    """Put ``Rows`` in the place of each table that ``model`` reads by rows; an error where it has none. Alone it stays as it is."""
    names = [name for name in model.by_rows if isinstance(_at(model, name), nn.Embedding)]
    if not names:
        raise ConfigError(
            f"[training] sharded = true: {type(model).__name__} has no table of items that it reads by rows: take ContextTransformer with "
            "identity = true, or leave sharded out."
        )
    for name in names if processes.count > 1 else ():
        _put(model, name, Rows(_at(model, name), processes))


def shard_frozen(body: nn.Module, learned: Iterable[Tensor], processes: Processes) -> None:
    """Leave each process a part of a transformer's frozen weights; a layer's are put together as it is gone through (PyTorch's FSDP2), so all
    processes have to go through it as often as each other. What learns stays whole on each. Alone it stays as it is.

    Source: Zhao et al., PyTorch FSDP, 2023.
    """
    if processes.count == 1:
        return
    if any(in_bytes(weight) for weight in body.parameters()):
        raise ConfigError(
            '[training] sharded = true: a language model of [text] precision = "int8" cannot lie in parts: say "bf16", or leave one of them out.'
        )
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(next(body.parameters()).device.type, (processes.count,))
    kept = {weight for weight in learned if isinstance(weight, nn.Parameter)}
    for part in (*layers_of(body, needed=False), body):
        fully_shard(part, mesh=mesh, ignored_params=kept)


@contextmanager
def whole(model: Learned, *, for_good: bool = False) -> Iterator[None]:
    """Inside, each sharded table is whole on every process; ``for_good``: afterwards too. All processes enter it."""
    found = {name: part for name in model.by_rows if isinstance(part := _at(model, name), Rows)}
    for name, part in found.items():
        _put(model, name, part.table())
    try:
        yield
    finally:
        for name, part in found.items() if not for_good else ():
            _put(model, name, part)


def _at(model: nn.Module, name: str) -> Any:
    parent, _, own = name.rpartition(".")
    return getattr(model.get_submodule(parent), own, None)


def _put(model: nn.Module, name: str, part: nn.Module) -> None:
    parent, _, own = name.rpartition(".")
    setattr(model.get_submodule(parent), own, part.train(model.training))
