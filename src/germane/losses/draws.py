"""What the batches of one step draw in common, whichever process reads them: negatives, and which items are taken for new."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
import torch
from torch import Tensor

__all__ = ["in_common", "of_their_own", "step_draws"]

SPREAD = -7_046_029_254_386_353_131
"""2⁶⁴ over the golden ratio, as a signed number: multiplied with it, neighbours lie far apart (Knuth, 1973, section 6.4)."""
_STEP: ContextVar[torch.Generator | None] = ContextVar("step", default=None)


@contextmanager
def step_draws(key: Sequence[int], device: torch.device) -> Iterator[None]:
    """Inside, what is drawn with ``in_common()`` depends on ``key`` alone, not on what else is drawn. Entered anew for each batch of a step, so that
    small batches, on one process or on several, meet the very negatives that the large one would.

    >>> drawn = []
    >>> for rows in (3, 5):
    ...     with step_draws([0, 1], torch.device("cpu")):
    ...         _ = torch.rand(rows)  # dropout, say
    ...         drawn.append(torch.randint(1000, (4,), generator=in_common()))
    >>> torch.equal(*drawn)
    True
    """
    generator = torch.Generator(device)
    generator.manual_seed(int(np.random.SeedSequence(list(key)).generate_state(1, np.uint64)[0] >> 1))
    token = _STEP.set(generator)
    try:
        yield
    finally:
        _STEP.reset(token)


def in_common() -> torch.Generator | None:
    """For torch's ``generator=``. None, which is the global one, outside a step."""
    return _STEP.get()


def of_their_own(keys: Tensor, count: int, below: int) -> Tensor:
    """[n, count] numbers below ``below``, each as likely as any other; in common, and those of a key are the same in whichever batch it comes.

    >>> with step_draws([0, 1], torch.device("cpu")):
    ...     large = of_their_own(torch.arange(6), 4, 1000)
    >>> with step_draws([0, 1], torch.device("cpu")):
    ...     torch.equal(of_their_own(torch.arange(4, 6), 4, 1000), large[4:])
    True
    """
    begin = torch.randint(below, (count,), device=keys.device, generator=in_common())
    apart = (keys * SPREAD >> 24) & 0xFF_FFFF_FFFF  # the upper bits, of which each hangs on many of the key
    return (apart[:, None] + begin) % below
