"""Fitting models by gradients."""

from .checkpoints import Trained
from .loop import choose_device, train_model
from .options import TrainingOptions
from .told import Progress, Told

__all__ = ["Progress", "Told", "Trained", "TrainingOptions", "choose_device", "train_model"]
