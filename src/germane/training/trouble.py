"""What makes a training stop, and what to do then."""

from __future__ import annotations

import torch

from ..errors import TrainingError
from ..models import Learned
from .options import TrainingOptions

__all__ = ["NotANumber", "OutOfMemory", "Stopped", "is_out_of_memory"]


class Stopped(TrainingError):
    """A training stopped on its way; the checkpoint of the last whole epoch is as it was."""


class NotANumber(Stopped):
    """A loss or a gradient is infinite or no number: one more step, and the weights would be lost."""


class OutOfMemory(Stopped):
    """Memory ran out; the message names the three options that help most."""

    def __init__(self, model: Learned, options: TrainingOptions, batch: int) -> None:
        half = f"training.batch = {max(1, batch // 2)} with training.accumulate = {2 * options.accumulate}, which learns the same from half at a time"
        texts = model.texts_that_learn()
        drawn = "ranking" in model.objective.heads and options.loss not in ("softmax", "mse")
        if texts is not None:
            fewer = f"text.fresh below {texts.fresh}"
        elif drawn:
            fewer = f"training.negatives below {options.drawn('ranking')}"
        elif "ranking" in model.objective.heads:
            fewer = 'training.loss = "sampled_softmax"'
        else:
            fewer = "a smaller model.length" if hasattr(model.options, "length") else "a smaller training.batch still"
        narrow = "a smaller model.width" if options.checkpointing else "training.checkpointing = true or a smaller model.width"
        super().__init__(f"Memory ran out in training; three options help: {half}; {fewer}; {narrow}.")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether that is what an error says: Python's, a GPU's, or that of torch on a CPU, which has no class of its own.

    >>> is_out_of_memory(MemoryError()), is_out_of_memory(RuntimeError("shapes differ"))
    (True, False)
    """
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    said = str(error)
    return isinstance(error, RuntimeError) and any(
        words in said for words in ("not enough memory", "can't allocate memory", "Cannot allocate memory")
    )
