"""What makes a training stop, and what to do then."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from ..errors import TrainingError
from ..models import Learned
from .optimisers import text_rate
from .options import TrainingOptions

__all__ = ["NotANumber", "OutOfMemory", "Stopped", "is_out_of_memory"]


class Stopped(TrainingError):
    """A training stopped on its way; the checkpoint of the last whole epoch is as it was. ``change``: what to set on the command line to go on."""

    def __init__(self, message: str, change: str) -> None:
        super().__init__(message)
        self.change = change


class NotANumber(Stopped):
    """A loss or a gradient is infinite or no number: one more step, and the weights would be lost."""

    def __init__(self, what: str, where: str, model: Learned, options: TrainingOptions) -> None:
        texts = model.texts_that_learn()
        text, rest = text_rate(texts if texts is not None and texts.awake else None, options), options.rate
        if text is None:
            key = "training.learning_rate.rest" if isinstance(options.learning_rate, Mapping) else "training.learning_rate"
            lower, change = f"{key}, which is {rest:g}", f"{key}={rest / 10:g}"
        else:
            lower = f"training.learning_rate.rest, which is {rest:g}, and .text, that of the language model, which is {text:g}"
            change = f"'training.learning_rate={{rest = {rest / 10:g}, text = {text / 10:g}}}'"
        super().__init__(f"The {what} is not a number at {where}: lower {lower}, or look for huge values in the data.", f"--set {change}")


class OutOfMemory(Stopped):
    """Memory ran out; the message names the three options that help most."""

    def __init__(self, model: Learned, options: TrainingOptions, batch: int) -> None:
        batch, times = max(1, batch // 2), 2 * options.accumulate
        half = f"training.batch = {batch} with training.accumulate = {times}, which learns the same from half at a time"
        texts = model.texts_that_learn()
        drawn = "ranking" in model.objective.heads and options.loss not in ("softmax", "mse")
        if texts is not None:
            fewer = f"text.batch below {texts.batch}"
        elif drawn:
            fewer = f"training.negatives below {options.drawn('ranking')}"
        elif "ranking" in model.objective.heads:
            fewer = 'training.loss = "sampled_softmax"'
        else:
            fewer = "a smaller model.length" if hasattr(model.options, "length") else "a smaller training.batch still"
        narrow = "a smaller model.width" if options.checkpointing else "training.checkpointing = true or a smaller model.width"
        said = f"Memory ran out in training; three options help: {half}; {fewer}; {narrow}."
        super().__init__(said, f"--set training.batch={batch} --set training.accumulate={times}")


WORDS = ("not enough memory", "can't allocate memory", "Cannot allocate memory", "could not create a primitive", "could not create a memory")
"""The last two are oneDNN's, which says nothing else where it finds too little."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether that is what an error says: Python's, a GPU's, or that of torch on a CPU, which has no class of its own.

    >>> is_out_of_memory(MemoryError()), is_out_of_memory(RuntimeError("shapes differ"))
    (True, False)
    """
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in WORDS)
