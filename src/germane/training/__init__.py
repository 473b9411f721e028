"""Fitting models by gradients."""

from .checkpoints import Trained
from .distributed import Processes
from .loop import choose_device, train_model
from .options import TrainingOptions
from .precision import chosen_precision
from .told import Progress, Told
from .trouble import Stopped, is_out_of_memory

__all__ = [
    "Processes",
    "Progress",
    "Stopped",
    "Told",
    "Trained",
    "TrainingOptions",
    "choose_device",
    "chosen_precision",
    "is_out_of_memory",
    "train_model",
]
