"""Cross layers over what is known of a pair."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from ...component import Options
from ..candidate_features import Candidates
from ..perceptron import Perceptron
from .base import Lessons, Ranker, likeliest_weight

__all__ = ["CrossNetwork", "CrossNetworkOptions"]

FAR = 5.0
"""Standard deviations beyond which numbers are cut off."""
AT_ONCE = 512
"""Queries scored at once."""


class CrossNetworkOptions(Options):
    width: int = Field(default=8, ge=1)
    """Numbers in the vector of each category."""
    crosses: int = Field(default=2, ge=0)
    """Cross layers; each raises the order of products by one."""
    layers: tuple[int, ...] = (64,)
    """Numbers in each dense layer beside the crosses."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of the dense layers' numbers left out of a training step."""
    learning_rate: float = Field(default=2e-3, gt=0)
    """Length of a step."""
    weight_decay: float = Field(default=0.01, ge=0)
    """How strongly weights are pulled to zero."""
    batch: int = Field(default=64, ge=1)
    """Cases a step."""
    epochs: int = Field(default=30, ge=1)
    """At most."""
    patience: int = Field(default=5, ge=1)
    """Stop after so many epochs without a better NDCG@10 on the cases kept aside; the best weights are kept."""


class CrossNetwork(Ranker, nn.Module):
    """Products of numbers and categories, ``x' = x₀ ⊙ (W x + b) + x``, beside a perceptron (DCN-v2; Wang et al., 2021), added to the first model's
    score; learnt by a softmax over the candidates of a query.

    Needs no library and its scores are log-odds within a list, as ``PlackettLuce`` reads them; ``BoostedTrees`` usually learn more from few cases.
    Cost of a pair: crosses × (numbers + categories × width)².
    """

    options: CrossNetworkOptions
    mean: Tensor
    spread: Tensor

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.made = False

    def _make(self, numbers: int, columns: int, n_codes: int) -> None:
        o = self.options
        into = numbers + columns * o.width
        self.register_buffer("sizes", torch.tensor([numbers, columns, n_codes]))
        self.register_buffer("mean", torch.zeros(numbers))
        self.register_buffer("spread", torch.ones(numbers))
        self.weight = nn.Parameter(torch.ones(()))  # of the first model
        self.table = nn.Embedding(n_codes, o.width, padding_idx=0)
        nn.init.normal_(self.table.weight, std=0.1)
        self.crosses = nn.ModuleList(nn.Linear(into, into) for _ in range(o.crosses))
        self.perceptron = Perceptron(into, *o.layers, dropout=o.dropout)
        self.out = nn.Linear(into + (o.layers[-1] if o.layers else into), 1, bias=False)
        with torch.no_grad():
            self.table.weight[0] = 0
            self.out.weight.zero_()  # begins with the first model's order
        self.made = True

    def forward(self, pairs: Candidates) -> Tensor:
        """[B, K]"""
        numbers = ((pairs.numbers - self.mean) / self.spread).clamp(-FAR, FAR)
        start = torch.cat([numbers, self.table(pairs.codes).flatten(-2)], dim=-1)
        x = start
        for layer in self.crosses:
            x = start * layer(x) + x
        out: Tensor = self.weight * pairs.first + self.out(torch.cat([x, self.perceptron(start)], dim=-1))[..., 0]
        return out

    def learn(self, taught: Lessons, aside: Lessons, seed: int) -> int:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self._learn(taught, aside, np.random.default_rng(seed))

    def _learn(self, taught: Lessons, aside: Lessons, rng: np.random.Generator) -> int:
        o, pairs = self.options, taught.pairs
        self._make(pairs.numbers.shape[-1], pairs.codes.shape[-1], pairs.n_codes)
        told = pairs.numbers[pairs.there]
        self.mean.copy_(told.mean(0))
        spread = told.std(0)
        self.spread.copy_(torch.where(spread > 1e-6, spread, 1.0))
        with torch.no_grad():
            self.weight.fill_(likeliest_weight(taught))
        optimiser = torch.optim.AdamW(self.parameters(), lr=o.learning_rate, weight_decay=o.weight_decay)
        best, best_figure, kept = 1, -1.0, self.state()
        for epoch in range(1, o.epochs + 1):
            self.train()
            order = torch.from_numpy(rng.permutation(len(taught)))
            for rows in order.split(o.batch):
                part = taught.pairs[rows]
                scores = self(part).masked_fill(~part.there, -1e9)
                weights = taught.weights[rows]
                loss = (functional.cross_entropy(scores, taught.targets[rows], reduction="none") * weights).sum() / weights.sum().clamp(min=1e-9)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            self.eval()
            with torch.no_grad():
                figure = aside.ndcg(self.score(aside.pairs))
            if figure > best_figure:
                best, best_figure, kept = epoch, figure, {name: tensor.clone() for name, tensor in self.state().items()}
            if epoch - best >= o.patience:
                break
        self.load_state(kept)
        return best

    def score(self, pairs: Candidates) -> Tensor:
        if not self.made:
            return pairs.first
        self.eval()
        return torch.cat([self(pairs[slice(begin, begin + AT_ONCE)]) for begin in range(0, len(pairs), AT_ONCE)])

    def state(self) -> dict[str, Tensor]:
        return {name: tensor.detach().contiguous() for name, tensor in self.state_dict().items()}

    def load_state(self, state: dict[str, Tensor]) -> None:
        if "sizes" in state:
            self._make(*state["sizes"].tolist())
            self.load_state_dict(state)
        self.eval()
