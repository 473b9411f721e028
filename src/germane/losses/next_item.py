"""What was taken next, against what might have been: from scores to a loss, the same for every model that learns from sequences."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from .base import Objective
from .draws import in_common
from .negatives import taken_before
from .ranking import full_softmax, sampled

__all__ = ["next_item"]


def next_item(
    objective: Objective,
    known: Tensor,
    history: Tensor,
    at: tuple[Tensor, Tensor],
    targets: Tensor,
    weights: Tensor,
    scores_of: Callable[[Tensor], Tensor],
    own: Callable[[Tensor], Tensor],
    again: bool = False,
) -> Tensor:
    """The ranking loss over P places that have a target, at least one.

    Items that training does not know stand against nobody: else new items would be pushed below all others. With
    ``objective.seen_as_negatives = False`` neither does what the history that led to a target holds.

    ``known`` [items] bool; ``history`` [B, T] codes, where place t holds the event before target t, -1 = none; ``at`` ([P], [P]) rows and places
    of it; ``targets`` [P] codes of known items; ``weights`` [P]. The model scores: ``scores_of(items [n])`` gives [P, n], shared items for every
    place, and ``own(targets [P])`` gives [P], each place its own. Cost: P × known items with the full softmax, P × ``objective.negatives`` with
    the others; ``again``: they are not kept, but worked out again on the way back.

    >>> states, table = torch.zeros(2, 3), torch.ones(5, 3)
    >>> known = torch.tensor([True, True, True, True, False])
    >>> history, at = torch.tensor([[-1, 2]]), (torch.tensor([0, 0]), torch.tensor([0, 1]))
    >>> loss = next_item(
    ...     Objective("softmax"), known, history, at, torch.tensor([2, 0]), torch.ones(2),
    ...     scores_of=lambda items: states @ table[items].T, own=lambda target: (states * table[target]).sum(1),
    ... )
    >>> loss.item()  # ln 4: of five items one is not known
    1.386294...
    """
    pool = known.nonzero().ravel()
    if objective.loss == "softmax":
        out = None if objective.seen_as_negatives else taken_before(history, at, targets, pool, len(known))
        places = (known.cumsum(0) - 1)[targets]
        return _worked_out(lambda: full_softmax(scores_of(pool), places, weights, out, objective.label_smoothing), again)
    negatives = pool[torch.randint(len(pool), (objective.negatives,), device=pool.device, generator=in_common())]
    log_q = torch.full((len(negatives),), objective.negatives / len(pool), device=pool.device).log()
    clash = targets[:, None] == negatives
    if not objective.seen_as_negatives:
        clash = clash | taken_before(history, at, targets, negatives, len(known))
    smoothing = objective.label_smoothing
    return _worked_out(lambda: sampled(objective.loss, own(targets), scores_of(negatives), clash, weights, log_q, len(pool), smoothing), again)


def _worked_out(loss: Callable[[], Tensor], again: bool) -> Tensor:
    """Nothing is drawn in it, so it comes out the same twice."""
    if not again:
        return loss()
    value: Tensor = checkpoint(loss, use_reentrant=False, preserve_rng_state=False)
    return value
