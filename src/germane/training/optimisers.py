"""The rules by which gradients change weights: that of ``[training] optimiser``, and steps of their own for big tables beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..encoders import LearningTexts
from ..models import Learned
from .options import TrainingOptions
from .row_wise import RowWiseAdam
from .sparse import LazyAdam, gather_by_rows, tables_of

__all__ = ["optimisers_of", "set_rates", "text_rate"]

STRETCH = 2.0
"""Row-wise steps are so much longer than Adam's learning rate says: at the same length they learnt more slowly (docs/models.md)."""
TEXT = 1e-5
"""Learning rate of a pretrained layer: with that of new ones it would forget what it knows."""
PUT_IN = 5e-4
"""That of what is put in beside pretrained layers, at most the rest's: at this one's it runs away from what the model has learnt of its vectors."""
FUSED = ("cpu", "cuda")
"""Where torch steps through all weights in one kernel: on a CPU in a quarter of the time, to the last bit but one."""


def optimisers_of(model: Learned, options: TrainingOptions, n_items: int, n_users: int) -> list[torch.optim.Optimizer]:
    """One, or two where tables of items and users take steps of their own: row-wise, or of the rows that a step read. Such a table is known by its
    rows, with or without one for nobody.

    Weights are parted by their learning rate (``initial_lr`` of each group, as torch's own schedulers call it) and by whether they decay: biases,
    norms and other single numbers do not, tables of tokens do, as in BERT (Devlin et al., 2019). Pretrained layers of a language model learn at a
    small rate, each at ``layer_decay`` of that of the layer above (Howard and Ruder, 2018); what was put in beside them is new, and learns faster.
    """
    learning = [p for p in model.parameters() if p.requires_grad]
    rows = {n_items, n_users, n_users + 1}
    tables = tables_of(model, rows, options.sparse) if options.rowwise or options.sparse else []
    if not options.sparse:
        gather_by_rows(model, rows)
    apart = {id(table) for table in tables}
    rates = _rates(model.texts_that_learn(), options)
    groups: dict[tuple[float, bool], list[Tensor]] = {}
    for weight in learning:
        if id(weight) not in apart:
            groups.setdefault((rates.get(id(weight), options.rate), weight.ndim > 1), []).append(weight)
    found = [_chosen([_group(weights, rate, options.weight_decay * decays) for (rate, decays), weights in groups.items()], options)] if groups else []
    if tables:
        found.append(_of_tables(tables, options))
        found[-1].param_groups[0]["initial_lr"] = options.rate
    return found


def set_rates(optimisers: Sequence[torch.optim.Optimizer], factor: float) -> None:
    """Each group's own learning rate times ``factor``."""
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = group["initial_lr"] * factor


def text_rate(texts: LearningTexts | None, options: TrainingOptions) -> float | None:
    """Learning rate of a language model's topmost layer; None: there is none that learns."""
    if texts is None or options.text_rate is not None:
        return None if texts is None else options.text_rate
    return min(PUT_IN, options.rate) if texts.beside else TEXT


def _rates(texts: LearningTexts | None, options: TrainingOptions) -> dict[int, float]:
    """Of a language model's weights, by their id."""
    top = text_rate(texts, options)
    if texts is None or top is None:
        return {}
    return {id(p): top * options.layer_decay**below for below, layer in enumerate(reversed(texts.layers())) for p in layer}


def _group(weights: list[Tensor], rate: float, decay: float) -> dict[str, Any]:
    return {"params": weights, "lr": rate, "initial_lr": rate, "weight_decay": decay}


def _of_tables(tables: list[Tensor], options: TrainingOptions) -> torch.optim.Optimizer:
    if not options.rowwise:
        return LazyAdam(tables, lr=options.rate)
    return RowWiseAdam(tables, options.rate, stretch=STRETCH, weight_decay=options.weight_decay, decoupled=options.optimiser == "adamw")


def _chosen(groups: list[dict[str, Any]], options: TrainingOptions) -> torch.optim.Optimizer:
    if options.optimiser == "adafactor":
        return torch.optim.Adafactor(groups, lr=options.rate)
    fused = all(weight.device.type in FUSED for group in groups for weight in group["params"])
    if options.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=options.rate, momentum=options.momentum, fused=fused)
    kind = torch.optim.AdamW if options.optimiser == "adamw" else torch.optim.Adam
    return kind(groups, lr=options.rate, fused=fused)
