"""What more than one model over histories is built of: how item vectors start, attention, its mask."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from ..errors import ConfigError
from .dropout import Dropout, dropout

__all__ = ["START", "Block", "Blocks", "attention", "check_heads", "hidden_places", "product", "silence"]

START = 0.02
"""Standard deviation of item vectors at the start, as in BERT (Devlin et al., 2019)."""


class Block(nn.Module):
    """Pre-norm attention and feed-forward: ``x + F(norm(x))``; ``gated``: ``x + σ(W x + b) ⊙ F(norm(x))``, so that each place says how much it
    takes from either (LiGR; Borisyuk et al., From Features to Transformers, 2025). Gates begin half open."""

    def __init__(
        self,
        width: int,
        heads: int,
        dropout: float,
        *,
        inner: int | None = None,
        activation: type[nn.Module] = nn.GELU,
        gated: bool = False,
    ) -> None:
        """``inner``: width inside the feed-forward; absent: twice ``width``."""
        super().__init__()
        inner = inner or 2 * width
        self.heads, self.dropout = heads, dropout
        self.norm_attention, self.norm_feed = nn.LayerNorm(width), nn.LayerNorm(width)
        self.projections, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.feed = nn.Sequential(nn.Linear(width, inner), activation(), Dropout(dropout), nn.Linear(inner, width))
        self.drop = Dropout(dropout)
        self.gates = nn.ModuleList(nn.Linear(width, width) for _ in range(2)) if gated else None
        for part in self.gates.parameters() if self.gates is not None else ():
            nn.init.zeros_(part)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """x [B, T, width], bias [B, heads or 1, T, T]"""
        b, t, width = x.shape
        q, k, v = self.projections(self.norm_attention(x)).reshape(b, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = attention(q, k, v, bias, self.dropout if self.training else 0.0)
        x = self._added(0, x, self.drop(self.out(mixed.transpose(1, 2).reshape(b, t, width))))
        return self._added(1, x, self.drop(self.feed(self.norm_feed(x))))

    def _added(self, place: int, x: Tensor, more: Tensor) -> Tensor:
        return x + more if self.gates is None else x + self.gates[place](x).sigmoid() * more


class Blocks(nn.ModuleList):
    """Blocks one after the other. With ``checkpointing``, training keeps what goes into each and works out the rest again on the way back: less
    memory, more time, the same gradients bit for bit, dropout included (Chen et al., Training Deep Nets with Sublinear Memory Cost, 2016)."""

    checkpointed = False

    def checkpointing(self, on: bool = True) -> None:
        self.checkpointed = on

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """As a ``Block``."""
        again = self.checkpointed and self.training and torch.is_grad_enabled()
        for block in self:
            x = checkpoint(block, x, bias, use_reentrant=False) if again else block(x, bias)
        return x


def hidden_places(empty: Tensor) -> Tensor:
    """[B, T, T] whether the first place must not see the second: it lies ahead, or is ``empty`` [B, T].

    >>> hidden_places(torch.tensor([[True, False, False]])).int().tolist()
    [[[0, 1, 1], [1, 0, 1], [1, 0, 0]]]
    """
    places = torch.arange(empty.shape[1], device=empty.device)
    hidden = (places[:, None] < places[None, :])[None] | empty[:, None, :]
    return hidden & (places[:, None] != places[None, :])  # a padded place attends to itself, so that no row is empty


def attention(q: Tensor, k: Tensor, v: Tensor, bias: Tensor, share: float) -> Tensor:
    """[..., T, d] of queries, keys and values alike, and ``bias`` [..., T, T]; ``share`` of the weights is dropped. It is torch's own but where a CPU
    draws: that too writes the weights out there."""
    if not share or q.device.type != "cpu":
        return functional.scaled_dot_product_attention(q, k, v, attn_mask=bias, dropout_p=share)
    weights = (q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5 + bias).softmax(dim=-1)
    return dropout(weights, share).to(v.dtype) @ v


def check_heads(who: str, width: int, heads: int) -> None:
    """An error where attention cannot part ``width`` among ``heads``."""
    if width % heads:
        raise ConfigError(f"{who}: width {width} is not a multiple of heads {heads}: choose heads that divide it.")


def product(queries: Tensor, items: Tensor) -> Tensor:
    """[B, d] with [n, d] or [B, n, d] -> [B, n]"""
    return queries @ items.T if items.ndim == 2 else torch.einsum("bd,bnd->bn", queries, items)


def silence(table: nn.Embedding, read: Tensor) -> None:
    """Make the vectors zero that no training row reads, all but ``read`` [...], so that what was never seen says nothing, as a missing value does.

    >>> table = nn.Embedding(3, 2)
    >>> silence(table, torch.tensor([1]))
    >>> table.weight.any(1).tolist()
    [False, True, False]
    """
    unread = torch.ones(table.num_embeddings, dtype=torch.bool)
    unread[read.ravel()] = False
    with torch.no_grad():
        table.weight[unread] = 0
