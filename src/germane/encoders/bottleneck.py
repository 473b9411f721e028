"""Narrow layers behind the layers of a language model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Bottleneck", "Bottlenecks"]


class Bottleneck(nn.Module):
    """``x + up(gelu(down(x)))``; ``up`` begins at zero, so at the start nothing changes.

    >>> x = torch.randn(2, 3, 8)
    >>> torch.equal(Bottleneck(8, 4)(x), x)
    True

    Source: Houlsby et al. 2019, Parameter-Efficient Transfer Learning for NLP, arXiv 1902.00751.
    """

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(width, size), nn.Linear(size, width)
        nn.init.normal_(self.down.weight, std=0.02)
        for part in (self.down.bias, self.up.weight, self.up.bias):
            nn.init.zeros_(part)

    def forward(self, states: Tensor) -> Tensor:
        """[..., width] -> the same"""
        added: Tensor = self.up(functional.gelu(self.down(states)))
        return states + added


class Bottlenecks:
    """Puts one behind each layer, as its ``bottleneck``; ``remove`` takes them away."""

    def __init__(self, layers: Sequence[nn.Module], width: int, size: int) -> None:
        self.layers = layers
        device = next(layers[0].parameters()).device
        for layer in layers:
            layer.add_module("bottleneck", Bottleneck(width, size).to(device))
        self.hooks = [layer.register_forward_hook(_through) for layer in layers]

    def remove(self) -> None:
        for hook, layer in zip(self.hooks, self.layers, strict=True):
            hook.remove()
            del layer.bottleneck


def _through(layer: nn.Module, given: Any, states: Any) -> Any:
    if isinstance(states, torch.Tensor):
        return layer.bottleneck(states)  # type: ignore[operator]
    return (layer.bottleneck(states[0]), *states[1:])  # type: ignore[operator]
