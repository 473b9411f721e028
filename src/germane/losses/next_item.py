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
    targets: Tensor,
    weights: Tensor,
    scores_of: Callable[[Tensor], Tensor],
    own: Callable[[Tensor], Tensor],
    again: bool = False,
) -> Tensor:
    """The ranking loss over all places that have a target, P of them, at least one.

    Items that training does not know stand against nobody: else new items would be pushed below all others. With
    ``objective.seen_as_negatives = False`` neither does what the history that led to a target holds.

    ``known`` [items] bool; ``history`` [B, T] codes, where place t holds the event before target t, -1 = none; ``targets`` [B, T] codes of
    known items, -1 = none; ``weights`` [B, T]. The model scores: ``scores_of(items [n])`` gives [P, n], shared items for every place, and
    ``own(targets [P])`` gives [P], each place its own. Places are in the order of ``targets[targets >= 0]``. Cost: P × known items with
    the full softmax, P × ``objective.negatives`` with the others; ``again``: they are not kept, but worked out again on the way back.

    >>> states, table = torch.zeros(2, 3), torch.ones(5, 3)
    >>> known = torch.tensor([True, True, True, True, False])
    >>> history, targets = torch.tensor([[-1, 2]]), torch.tensor([[2, 0]])
    >>> loss = next_item(
    ...     Objective("softmax"), known, history, targets, torch.ones(1, 2),
    ...     scores_of=lambda items: states @ table[items].T, own=lambda target: (states * table[target]).sum(1),
    ... )
    >>> loss.item()  # ln 4: of five items one is not known
    1.386294...
    """
    here = targets >= 0
    target, weight = targets[here], weights[here]
    pool = known.nonzero().ravel()
    if objective.loss == "softmax":
        out = None if objective.seen_as_negatives else taken_before(history, here, target, pool, len(known))
        places = (known.cumsum(0) - 1)[target]
        return _worked_out(lambda: full_softmax(scores_of(pool), places, weight, out, objective.label_smoothing), again)
    negatives = pool[torch.randint(len(pool), (objective.negatives,), device=pool.device, generator=in_common())]
    log_q = torch.full((len(negatives),), objective.negatives / len(pool), device=pool.device).log()
    clash = target[:, None] == negatives
    if not objective.seen_as_negatives:
        clash = clash | taken_before(history, here, target, negatives, len(known))
    smoothing = objective.label_smoothing
    return _worked_out(lambda: sampled(objective.loss, own(target), scores_of(negatives), clash, weight, log_q, len(pool), smoothing), again)


def _worked_out(loss: Callable[[], Tensor], again: bool) -> Tensor:
    """Nothing is drawn in it, so it comes out the same twice."""
    if not again:
        return loss()
    value: Tensor = checkpoint(loss, use_reentrant=False, preserve_rng_state=False)
    return value
