"""Steps for big tables of vectors: one number of memory for each row."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

__all__ = ["RowWiseAdam"]


class RowWiseAdam(torch.optim.Optimizer):
    """Adam whose second moment is the mean over a row, and without a first moment: 1 / (2 × width) of Adam's memory.

    ``v = b v + (1 - b) mean(g²)`` of each row, and each number of the row moves by ``stretch × rate × g / (sqrt(v / (1 - b^t)) + 1e-8)``. Prefer it
    to Adam for tables of items and users that are too large to be kept three times. Parameters have two dimensions. Of a sparse gradient it touches
    the rows that it holds, with one number more a row, and what comes of it is what the dense one would give; weights do not decay then.
    torch has no such rule, and the libraries that do (FBGEMM through TorchRec: exact row-wise Adagrad, partial row-wise Adam) are heavy and made for
    clusters; hence these lines. Unlike row-wise Adagrad it forgets, so that its rate is of the size that Adam's is.

    >>> table = torch.nn.Embedding(1000, 64)
    >>> rule = RowWiseAdam([table.weight], rate=0.01)
    >>> table(torch.tensor([3])).sum().backward()
    >>> rule.step()
    >>> rule.state[table.weight]["rows"].shape
    torch.Size([1000])

    Sources: Adam (Kingma and Ba, 2015); one state a row, as in DLRM's row-wise Adagrad (Naumov et al., 2019).
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        rate: float,
        *,
        stretch: float = 1.0,
        keep: float = 0.999,
        weight_decay: float = 0.0,
        decoupled: bool = True,
    ) -> None:
        """``stretch``: how many rates long a step is; ``keep``: b; ``decoupled``: weights decay beside the gradient, as in AdamW, and not through it,
        as in Adam."""
        super().__init__(parameters, {"lr": rate, "stretch": stretch, "keep": keep, "weight_decay": weight_decay, "decoupled": decoupled})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for table in group["params"]:
                if table.grad is not None and table.grad.is_sparse:
                    self._few(table, table.grad.coalesce(), group)
                elif table.grad is not None:
                    self._one(table, table.grad, group)
        return loss

    def _few(self, table: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state, keep = self.state[table], group["keep"]
        if not state:
            state["step"] = torch.zeros(())
            state["rows"], state["seen"] = torch.zeros(len(table), device=table.device), torch.zeros(len(table), device=table.device)
        state["step"] += 1
        step, rows, values = state["step"].item(), gradient.indices()[0], gradient.values()
        means = state["rows"][rows] * keep ** (step - state["seen"][rows])  # it faded in the steps that did not read the row, too
        means += values.square().mean(1) * (1 - keep)
        state["rows"][rows], state["seen"][rows] = means, torch.full_like(means, step)
        reach = 1 / ((means / (1 - keep**step)).sqrt_() + 1e-8)
        table.index_add_(0, rows, values * reach[:, None], alpha=-group["lr"] * group["stretch"])

    def _one(self, table: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state, rate, decay = self.state[table], group["lr"], group["weight_decay"]
        if not state:
            state["step"], state["rows"] = torch.zeros(()), torch.zeros(len(table), device=table.device)
        if decay and group["decoupled"]:
            table.mul_(1 - rate * decay)
        elif decay:
            gradient = gradient.add(table, alpha=decay)
        state["step"] += 1
        lengths = torch.linalg.vector_norm(gradient, dim=1).square_()  # no copy of the table
        state["rows"].lerp_(lengths / table.shape[1], 1 - group["keep"])
        reach = 1 / ((state["rows"] / (1 - group["keep"] ** state["step"].item())).sqrt_() + 1e-8)
        table.addcmul_(gradient, reach[:, None], value=-rate * group["stretch"])
