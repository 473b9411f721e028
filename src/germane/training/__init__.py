"""Fitting models by gradients."""

from .checkpoints import Trained
from .distributed import Processes
from .loop import choose_device, train_model
from .options import TrainingOptions
from .precision import chosen_precision
from .told import Progress, Told

__all__ = ["Processes", "Progress", "Told", "Trained", "TrainingOptions", "choose_device", "chosen_precision", "train_model"]
