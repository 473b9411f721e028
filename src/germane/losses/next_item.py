"""What was taken next, against what might have been: from scores to a loss, the same for every model that learns from sequences."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from .base import Objective
from .draws import in_common
from .negatives import taken_before
from .ranking import full_softmax, sampled

__all__ = ["next_item"]

AT_ONCE = (1 << 25, 1 << 22)
"""Scores that are worked out together: on a GPU; on a CPU, where tensors of hundreds of megabytes cost more than their sums, since their pages are
given back and taken anew each time."""
KEPT = 1 << 24
"""Scores whose softmax is kept for the way back: some 200 MB."""


def next_item(
    objective: Objective,
    known: Tensor,
    history: Tensor,
    at: tuple[Tensor, Tensor],
    targets: Tensor,
    weights: Tensor,
    against: Callable[[Tensor], Callable[[slice], Tensor]],
    own: Callable[[Tensor], Tensor],
    again: bool = False,
) -> Tensor:
    """The ranking loss over P places that have a target, at least one.

    Items that training does not know stand against nobody: else new items would be pushed below all others. With
    ``objective.seen_as_negatives = False`` neither does what the history that led to a target holds.

    ``known`` [items] bool; ``history`` [B, T] codes, where place t holds the event before target t, -1 = none; ``at`` ([P], [P]) rows and places
    of it; ``targets`` [P] codes of known items; ``weights`` [P]. The model scores: ``against(items [n])`` gives the scorer of shared items, which
    is asked for some places at a time, ``scores(part)`` [p, n]; and ``own(targets [P])`` gives [P], each place its own. Cost: P × known items with
    the full softmax, P × ``objective.negatives`` with the others. Memory: ``KEPT`` scores at most; of more, and with ``again`` always, each part is
    worked out a second time on the way back instead of being kept.

    >>> states, table = torch.zeros(2, 3), torch.ones(5, 3)
    >>> known = torch.tensor([True, True, True, True, False])
    >>> history, at = torch.tensor([[-1, 2]]), (torch.tensor([0, 0]), torch.tensor([0, 1]))
    >>> loss = next_item(
    ...     Objective("softmax"), known, history, at, torch.tensor([2, 0]), torch.ones(2),
    ...     against=lambda items: lambda part: states[part] @ table[items].T, own=lambda target: (states * table[target]).sum(1),
    ... )
    >>> loss.item()  # ln 4: of five items one is not known
    1.386294...
    """
    pool = known.nonzero().ravel()
    rivals = pool
    if objective.loss != "softmax":
        rivals = pool[torch.randint(len(pool), (objective.negatives,), device=pool.device, generator=in_common())]
    log_q = torch.full((len(rivals),), len(rivals) / len(pool), device=pool.device).log()
    scores, mine = against(rivals), None if objective.loss == "softmax" else own(targets)
    where, smoothing = (known.cumsum(0) - 1)[targets] if mine is None else targets, objective.label_smoothing

    def loss(part: slice) -> Tensor:
        """The mean over a part of the places."""
        target, weight = targets[part], weights[part]
        seen = None if objective.seen_as_negatives else taken_before(history, (at[0][part], at[1][part]), target, rivals, len(known))
        if mine is None:
            return full_softmax(scores(part), where[part], weight, seen, smoothing)
        clash = target[:, None] == rivals
        clash = clash if seen is None else clash | seen
        return sampled(objective.loss, mine[part], scores(part), clash, weight, log_q, len(pool), smoothing)

    again = again or len(targets) * len(rivals) > KEPT
    size = max(1, AT_ONCE[pool.device.type == "cpu"] // len(rivals))
    parts = [slice(begin, begin + size) for begin in range(0, len(targets), size)]
    means = torch.stack([_worked_out(partial(loss, part), again) for part in parts])
    counts = torch.stack([weights[part].sum() for part in parts])
    return (means * counts).sum() / counts.sum().clamp(min=1e-12)


def _worked_out(loss: Callable[[], Tensor], again: bool) -> Tensor:
    """Nothing is drawn in it, so it comes out the same twice."""
    if not again:
        return loss()
    value: Tensor = checkpoint(loss, use_reentrant=False, preserve_rng_state=False)
    return value
