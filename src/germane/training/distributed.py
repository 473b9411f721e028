"""Several processes train one model: which of them this is, what of a step is its share, and what they add up.

Each reads the same data and draws the same batches; of each batch it takes every so-many-th row. Gradients are added up by hand, since models have a
``loss`` and no ``forward`` for a wrapper to hook on to, and since it is exact: parts count by their weight, and a weight that no part of a step used
has no gradient, as in one process. The process group is accelerate's: gloo on CPUs, NCCL on CUDA, whoever started the processes.
"""

from __future__ import annotations

import atexit
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as group
import torch.distributed.nn.functional  # before there is a group: imported later, as optimisers do, its defaults would keep that one and its threads
from torch import Tensor

from ..errors import TrainingError

__all__ = ["Processes", "check_alone", "is_sharded"]

BUCKET = 1 << 22
"""Numbers that are added up at a time: large enough that few messages are sent, small beside the gradients."""
PATIENCE = timedelta(hours=2)
"""For one that encodes texts while the others wait. One that has died is noticed at once."""
MOMENT = 0.2
"""Seconds; microseconds are enough on a machine that is idle."""


@dataclass(frozen=True)
class Processes:
    """This process among those that train together; alone where nothing says otherwise. All of them call its methods, in the same order.

    >>> alone = Processes()
    >>> alone.first, alone.count, alone.total([1.0, 2.0])
    (True, 1, [1.0, 2.0])
    """

    number: int = 0
    """Of this one, from 0."""
    count: int = 1
    device: torch.device | None = None
    """Of its own; None where it is alone: ``[training] device`` says it."""

    @property
    def first(self) -> bool:
        """Whether it is the one that writes, validates and speaks."""
        return self.number == 0

    @classmethod
    def joined(cls, device: str = "auto") -> Processes:
        """The processes that ``torchrun``, ``accelerate launch``, Ray Train or anyone else who sets RANK and WORLD_SIZE has started together.

        ``device``: as in ``[training]``; with ``cpu`` they speak gloo also where there are GPUs.
        """
        there, count = _together(), _how_many()
        if count == 1:
            return cls()
        from accelerate import PartialState

        before = dict(os.environ)
        try:
            state = PartialState(cpu=device.startswith("cpu") or not torch.cuda.is_available(), timeout=PATIENCE)
        except (ValueError, RuntimeError) as error:
            PartialState._reset_state()  # it is kept half made, and has put what it made of the environment there
            os.environ.update(before)
            for name in os.environ.keys() - before.keys():
                del os.environ[name]
            raise TrainingError(
                f"{count} processes were to train together and could not meet ({str(error).splitlines()[0]}): start them with torchrun, "
                "accelerate launch or Ray Train, or unset WORLD_SIZE to train in one."
            ) from None
        if state.num_processes != count:
            raise TrainingError(
                f"{count} processes were to train together, and LOCAL_RANK is not set: start them with torchrun or accelerate launch."
            )
        if not there:
            atexit.register(_leave)
        if state.device.type == "cuda":
            torch.cuda.set_device(state.device)
        return cls(state.process_index, count, state.device)

    # -- all of them together --------------------------------------------------------------------------------------

    def total(self, numbers: Sequence[float]) -> list[float]:
        """Each added up over all processes."""
        if self.count == 1:
            return list(numbers)
        summed = torch.tensor(numbers, dtype=torch.float64, device=self.device)
        self._all(summed)
        return [float(number) for number in summed.tolist()]

    def each(self, number: float) -> list[float]:
        """What each says, in their order."""
        return self.total([number if place == self.number else 0.0 for place in range(self.count)])

    def from_first(self, number: float) -> float:
        """What the first one says."""
        return self.total([number if self.first else 0.0])[0]

    def wait(self) -> None:
        """Until all are here."""
        self.total([0.0])

    @contextmanager
    def first_ahead(self) -> Iterator[None]:
        """The first one goes through the block while the others wait, so that they find what it has put into a cache."""
        if not self.first:
            self.wait()
        yield
        if self.first:
            self.wait()

    def alike(self, tensors: Iterable[Tensor]) -> None:
        """All get the first one's numbers; what is whole or true or false comes of the data, and is alike already."""
        for tensor in tensors if self.count > 1 else ():
            if tensor.is_floating_point() and tensor.numel():
                sent = tensor.detach().contiguous()
                with _heard():
                    group.broadcast(sent, 0)
                tensor.detach().copy_(sent)

    def add(self, tensor: Tensor) -> None:
        """In the place of each process' numbers their sum."""
        if self.count > 1:
            self._all(tensor)

    def gathered(self, rows: Tensor) -> tuple[Tensor, list[int]]:
        """The rows of all processes, those of the first one first, and how many are of each."""
        counts = [int(number) for number in self.each(len(rows))]
        padded = rows.new_zeros(max(counts), *rows.shape[1:])
        padded[: len(rows)] = rows.detach()
        parts = [torch.empty_like(padded) for _ in counts]
        with _heard():
            group.all_gather(parts, padded)
        return torch.cat([part[:n] for part, n in zip(parts, counts, strict=True)]), counts

    def add_up(self, parameters: Iterable[Tensor]) -> None:
        """Gradients, dense and sparse, of all processes; none where no process has one. Rows of a sharded table have theirs already."""
        learning = [parameter for parameter in parameters if parameter.requires_grad and not is_sharded(parameter)]
        if self.count == 1 or not learning:
            return
        kinds = torch.tensor([0 if p.grad is None else 2 if p.grad.is_sparse else 1 for p in learning], device=self.device)
        self._all(kinds, group.ReduceOp.MAX)
        dense = []
        for parameter, kind in zip(learning, kinds.tolist(), strict=True):
            if kind == 2:
                parameter.grad = self._rows(parameter)
            elif kind == 1:
                parameter.grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                dense.append(parameter.grad)
        for some in _buckets(dense):
            flat = torch.cat([gradient.reshape(-1) for gradient in some])
            self._all(flat)
            for gradient, summed in zip(some, flat.split([gradient.numel() for gradient in some]), strict=True):
                gradient.copy_(summed.view_as(gradient))

    def _rows(self, table: Tensor) -> Tensor:
        """Of a sparse gradient: as many rows as all processes have read are sent, and not the table."""
        from accelerate.utils import gather, pad_across_processes

        gradient = table.grad
        if gradient is None:
            nothing = torch.zeros(1, 0, dtype=torch.int64, device=table.device), table.new_zeros(0, table.shape[1])
            gradient = torch.sparse_coo_tensor(*nothing, table.shape, check_invariants=False)
        gradient = gradient.coalesce()
        with _heard():
            rows = gather(pad_across_processes(gradient.indices()[0].contiguous(), pad_index=-1))
            values = gather(pad_across_processes(gradient.values().contiguous()))
        there = rows >= 0
        return torch.sparse_coo_tensor(rows[there][None], values[there], table.shape, check_invariants=False).coalesce()

    def _all(self, tensor: Tensor, how: group.ReduceOp.RedOpType = group.ReduceOp.SUM) -> None:
        with _heard():
            group.all_reduce(tensor, how)


def _how_many() -> int:
    """Processes that were started together: 1 where this one is alone."""
    return group.get_world_size() if _together() else int(os.environ.get("WORLD_SIZE") or 1)


def _together() -> bool:
    return group.is_available() and group.is_initialized()


def check_alone(command: str) -> None:
    """Refuse several processes for what one does whole: each would do all of it, and write to the same place."""
    if (count := _how_many()) > 1:
        raise TrainingError(
            f"{command} works in one process, and {count} were started together: start it without torchrun or accelerate launch, and with WORLD_SIZE "
            "unset. Several processes share what germane train does."
        )


def is_sharded(parameter: Tensor) -> bool:
    """Whether this process holds a part of it only, whose gradient is whole already."""
    return getattr(parameter, "sharded", False)


@contextmanager
def _heard() -> Iterator[None]:
    """The library's error, where another process has ended, as a sentence."""
    try:
        yield
    except RuntimeError as error:
        raise TrainingError(
            f"another process of this training has ended, so this one ends too; what that one said tells why ({_brief(error)})."
        ) from None


def _brief(error: Exception) -> str:
    """Without where in the library's source it was met."""
    return str(error).strip().splitlines()[0].split(".cc:")[-1].split("] ", 1)[-1].split(". ")[0]


def _buckets(gradients: Iterable[Tensor]) -> Iterator[list[Tensor]]:
    """Of one type each, and of about ``BUCKET`` numbers or a single gradient."""
    held: dict[torch.dtype, list[Tensor]] = {}
    for gradient in gradients:
        some = held.setdefault(gradient.dtype, [])
        if some and sum(one.numel() for one in some) + gradient.numel() > BUCKET:
            yield held.pop(gradient.dtype)
            some = held.setdefault(gradient.dtype, [])
        some.append(gradient)
    yield from held.values()


def _leave() -> None:
    """A group from which weights lay in parts outlives this, since torch keeps how they lay, and so do its threads: one that lets go of a tensor once
    Python has ended would abort it, so they have a moment before."""
    if group.is_initialized():
        group.destroy_process_group()
        time.sleep(MOMENT)
