"""The rules by which gradients change weights: that of ``[training] optimiser``, and row-wise steps for big tables beside it."""

from __future__ import annotations

import torch

from ..models import Learned
from .options import TrainingOptions
from .row_wise import RowWiseAdam
from .sparse import LazyAdam, tables_of

__all__ = ["optimisers_of"]

STRETCH = 2.0
"""Row-wise steps are so much longer than Adam's learning rate says: at the same length they learnt more slowly (docs/models.md)."""


def optimisers_of(model: Learned, options: TrainingOptions, n_items: int, n_users: int) -> list[torch.optim.Optimizer]:
    """One, or two where tables of items and users take steps of their own: row-wise, or of the rows that a step read. Such a table is known by its
    rows, with or without one for nobody."""
    learning = [p for p in model.parameters() if p.requires_grad]
    tables = tables_of(model, {n_items, n_users, n_users + 1}, options.sparse) if options.rowwise or options.sparse else []
    apart = {id(table) for table in tables}
    groups = [
        {"params": [p for p in learning if p.ndim > 1 and id(p) not in apart], "weight_decay": options.weight_decay},
        {"params": [p for p in learning if p.ndim <= 1], "weight_decay": 0.0},
    ]
    found = [_chosen([group for group in groups if group["params"]], options)] if len(apart) < len(learning) else []
    if tables and not options.rowwise:
        found.append(LazyAdam(tables, lr=options.learning_rate))
    elif tables:
        decoupled = options.optimiser == "adamw"
        found.append(RowWiseAdam(tables, options.learning_rate, stretch=STRETCH, weight_decay=options.weight_decay, decoupled=decoupled))
    return found


def _chosen(groups: list[dict[str, object]], options: TrainingOptions) -> torch.optim.Optimizer:
    if options.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=options.learning_rate, momentum=0.9)
    if options.optimiser == "adafactor":
        return torch.optim.Adafactor(groups, lr=options.learning_rate)
    kind = torch.optim.AdamW if options.optimiser == "adamw" else torch.optim.Adam
    return kind(groups, lr=options.learning_rate)
