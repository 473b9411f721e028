"""Dense layers."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from .dropout import Dropout

__all__ = ["Perceptron"]


class Perceptron(nn.Module):
    """Dense layers with ReLU between ``sizes``, over the last dimension. ``norm``: each number is standardised over the rows of a batch first."""

    def __init__(self, *sizes: int, dropout: float = 0.0, norm: bool = False) -> None:
        super().__init__()
        steps = list(pairwise(sizes))
        self.layers = nn.ModuleList(nn.Linear(into, out) for into, out in steps)
        self.norms = nn.ModuleList(nn.BatchNorm1d(out) for _, out in steps) if norm else None
        self.drop = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        lead = x.shape[:-1]
        x = x.reshape(-1, x.shape[-1])
        for place, layer in enumerate(self.layers):
            x = layer(x)
            x = self._standardised(place, x) if self.norms is not None else x
            x = self.drop(x.relu())
        return x.reshape(*lead, x.shape[-1])

    def _standardised(self, place: int, x: Tensor) -> Tensor:
        """A row that stands alone has no spread: it is measured by the batches before it, as all are once training is over."""
        assert self.norms is not None
        norm = self.norms[place]
        assert isinstance(norm, nn.BatchNorm1d)
        if self.training and len(x) == 1:
            return functional.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)
        out: Tensor = norm(x)
        return out
