from __future__ import annotations

import torch
from torch import nn

from germane.encoders.bottleneck import Bottlenecks


class Layer(nn.Linear):
    def forward(self, x):  # type: ignore[no-untyped-def]
        return super().forward(x), "cache"


def test_they_stand_behind_layers_of_either_kind_and_go_again() -> None:
    torch.manual_seed(0)
    layers = [nn.Linear(4, 4), Layer(4, 4)]
    x = torch.randn(2, 4)
    plain, (first, cache) = layers[0](x), layers[1](x)
    put = Bottlenecks(layers, 4, 2)
    with torch.no_grad():
        for layer in layers:
            layer.bottleneck.up.bias.fill_(1.0)  # type: ignore[union-attr, operator]
    assert torch.allclose(layers[0](x), plain + 1) and torch.allclose(layers[1](x)[0], first + 1) and layers[1](x)[1] == cache
    put.remove()
    assert torch.equal(layers[0](x), plain) and torch.equal(layers[1](x)[0], first) and not hasattr(layers[0], "bottleneck")
