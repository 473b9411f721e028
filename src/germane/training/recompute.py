"""``[training] checkpointing``: activations that are worked out again on the way back, instead of being kept."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from ..errors import ConfigError
from ..models import Learned

__all__ = ["Recomputing", "recompute"]


@runtime_checkable
class Recomputing(Protocol):
    """A part of a model that can: the blocks of attention over a history, scores against items, a language model."""

    def checkpointing(self, on: bool = True) -> None: ...


def recompute(model: Learned, on: bool) -> None:
    """Tell every part of ``model`` that can. Gradients are the same bit for bit; a step is longer by a good part of its way forward."""
    able = [part for part in model.modules() if isinstance(part, Recomputing)]
    if on and not able:
        raise ConfigError(
            f"[training] checkpointing = true: {type(model).__name__} has no attention and no language model to work out again; "
            "leave it out, or make training.batch smaller and training.accumulate larger."
        )
    for part in able:
        part.checkpointing(on)
