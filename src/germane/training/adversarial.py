"""Learning also from weights that are disturbed where it hurts most: FGM, PGD and APR on tables of vectors, AWP on all matrices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from ..component import Options
from ..errors import TrainingError
from ..models import Learned

__all__ = ["AdversarialOptions", "Adversary", "vector_tables"]

SIZES = {"fgm": 0.5, "pgd": 0.5, "apr": 0.1, "awp": 0.01}
REACH = 1.5
"""All steps of PGD together, against the radius of its ball: they can reach its edge and turn."""


class AdversarialOptions(Options):
    kind: Literal["fgm", "pgd", "apr", "awp"] = "fgm"
    """What is disturbed, by its gradient: each table of item or user vectors as a whole in one step (``fgm``) or in several (``pgd``); each row of
    these for itself (``apr``); every matrix of weights (``awp``). Never a language model that learns: its gradients come once a step, from what
    has gathered at the texts' vectors."""
    size: float | None = Field(default=None, gt=0)
    """Length of the disturbance: of a whole table, 0.5 unless said; of each row for ``apr``, 0.1; for ``awp`` as a share of a matrix's own
    length, 0.01."""
    steps: int = Field(default=3, ge=2)
    """Of ``pgd``."""
    weight: float = Field(default=1.0, gt=0)
    """Of the disturbed loss beside the clean one."""
    from_epoch: int = Field(default=1, ge=1)
    """The first epoch with it; from 1. Before, training is as without."""


class Adversary:
    """Gradients of the loss at disturbed weights, added to those at the weights as they are.

    ``watched`` surrounds the clean backward pass of one batch and learns its gradients; ``again`` goes where they point, measures there with the
    very same random draws (dropout, negatives), and puts every weight back, bit for bit. Cost of a batch: one more forward and backward pass, or
    ``steps`` of them for ``pgd``; memory: one copy of what is disturbed. With several processes each disturbs by the gradient of its own share.

    >>> layer = nn.Linear(2, 1, bias=False)
    >>> adversary = Adversary([layer.weight], AdversarialOptions(kind="fgm", size=1.0))
    >>> def measure():
    ...     return layer(torch.tensor([[3.0, 4.0]])).sum()
    >>> with adversary.watched():
    ...     measure().backward()
    >>> before = measure().item()
    >>> with adversary.disturbed(measure):
    ...     print(round(measure().item() - before, 4))  # one step of length 1 along (3, 4)
    5.0

    Sources: ``fgm`` Miyato et al. 2017, Adversarial Training Methods for Semi-Supervised Text Classification; ``pgd`` Madry et al. 2018, Towards
    Deep Learning Models Resistant to Adversarial Attacks; ``apr`` He et al. 2018, Adversarial Personalized Ranking; ``awp`` Wu et al. 2020,
    Adversarial Weight Perturbation Helps Robust Generalization. Theirs disturb single inputs (FGM, PGD): here it is the table that a batch shares,
    so that histories, targets and negatives are disturbed alike; and AWP learns from the clean weights too.
    """

    def __init__(self, attacked: Sequence[Tensor], options: AdversarialOptions) -> None:
        self.all, self.options = list(attacked), options
        self.size = options.size if options.size is not None else SIZES[options.kind]
        self.gradients: list[Tensor | None] = []
        self._random: dict[torch.device, Tensor] = {}
        self.begin(options.from_epoch)

    @classmethod
    def of(cls, model: Learned, options: AdversarialOptions, n_items: int, n_users: int) -> Adversary:
        """One for what ``options.kind`` disturbs of ``model``; an error where there is nothing of the kind that learns."""
        if options.kind == "awp":
            texts = model.texts_that_learn()
            apart = {id(weight) for weight in texts.parameters()} if texts is not None else set()  # no loss of a batch reaches them
            found: list[Tensor] = [weight for weight in model.parameters() if weight.requires_grad and weight.ndim > 1 and id(weight) not in apart]
        else:
            found = vector_tables(model, {n_items, n_users, n_users + 1})
        if not found:
            raise TrainingError(
                f"[training] adversarial kind = {options.kind!r} disturbs tables of vectors that learn, and {type(model).__name__} as it is set has "
                "none: take kind = 'awp', or leave adversarial out."
            )
        return cls(found, options)

    def begin(self, epoch: int) -> None:
        """``epoch`` from 1: whether anything is disturbed in it, and what of it learns by then."""
        self.active = epoch >= self.options.from_epoch
        self.attacked = [weight for weight in self.all if weight.requires_grad]

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Surrounds the clean forward and backward pass of a batch. What gradients there were before is added to them afterwards."""
        self._random = _random_states({weight.device for weight in self.attacked})
        earlier = [weight.grad for weight in self.attacked]
        for weight in self.attacked:
            weight.grad = None
        yield
        self.gradients = [None if weight.grad is None else _dense(weight.grad).clone() for weight in self.attacked]
        for weight, before in zip(self.attacked, earlier, strict=True):
            if before is not None:
                weight.grad = before if weight.grad is None else weight.grad + before

    def again(self, measure: Callable[[], Tensor], backward: Callable[[Tensor], object]) -> None:
        """Add the gradients at the disturbed weights. ``measure`` gives the loss of the same batch, ``backward`` what was done with the clean one."""
        with self.disturbed(measure):
            _draw_from(self._random)
            backward(measure() * self.options.weight)

    @contextmanager
    def disturbed(self, measure: Callable[[], Tensor]) -> Iterator[None]:
        """Inside, the weights are disturbed by the gradients that were watched; afterwards they are what they were, whatever happens."""
        clean = [weight.detach().clone() for weight in self.attacked]
        try:
            if self.options.kind == "pgd":
                self._climb(measure, clean)
            else:
                for weight, gradient in zip(self.attacked, self.gradients, strict=True):
                    if gradient is not None:
                        with torch.no_grad():
                            weight.add_(self._along(weight, gradient))
            yield
        finally:
            with torch.no_grad():
                for weight, before in zip(self.attacked, clean, strict=True):
                    weight.copy_(before)

    def _along(self, weight: Tensor, gradient: Tensor) -> Tensor:
        """The disturbance of ``fgm``, ``apr`` or ``awp``."""
        if self.options.kind == "apr":
            return self.size * nn.functional.normalize(gradient, dim=-1)
        length = self.size * (torch.linalg.vector_norm(weight) if self.options.kind == "awp" else 1.0)
        return length * _unit(gradient)

    def _climb(self, measure: Callable[[], Tensor], clean: Sequence[Tensor]) -> None:
        """Steps uphill, each from where the last one ended, never further from the clean weights than ``size``."""
        gradients = self.gradients
        for step in range(self.options.steps):
            if step:
                _draw_from(self._random)
                found = torch.autograd.grad(measure(), self.attacked, allow_unused=True)
                gradients = [None if one is None else _dense(one) for one in found]
            with torch.no_grad():
                for weight, gradient, before in zip(self.attacked, gradients, clean, strict=True):
                    if gradient is not None:
                        moved = weight - before + REACH * self.size / self.options.steps * _unit(gradient)
                        weight.copy_(before + moved * (self.size / torch.linalg.vector_norm(moved).clamp(min=self.size)))


def vector_tables(model: Learned, rows: set[int]) -> list[Tensor]:
    """Tables of vectors that learn and have so many rows, each once."""
    found = {id(part.weight): part.weight for part in model.modules() if isinstance(part, nn.Embedding) and len(part.weight) in rows}
    return [table for table in found.values() if table.requires_grad and table.shape[1] > 1]


def _unit(gradient: Tensor) -> Tensor:
    """Of length 1; a gradient of zeros stays."""
    unit: Tensor = gradient / torch.linalg.vector_norm(gradient).clamp(min=torch.finfo(gradient.dtype).tiny)
    return unit


def _dense(gradient: Tensor) -> Tensor:
    dense: Tensor = gradient.to_dense() if gradient.is_sparse else gradient
    return dense


def _random_states(devices: set[torch.device]) -> dict[torch.device, Tensor]:
    """Of the CPU, and of the GPU that the weights lie on."""
    on_gpu = {device: torch.cuda.get_rng_state(device) for device in devices if device.type == "cuda"}
    return {torch.device("cpu"): torch.get_rng_state(), **on_gpu}


def _draw_from(states: Mapping[torch.device, Tensor]) -> None:
    for device, state in states.items():
        if device.type == "cuda":
            torch.cuda.set_rng_state(state, device)
        else:
            torch.set_rng_state(state)
