"""Fitting models by gradients."""

from .loop import Trained, choose_device, train_model
from .options import TrainingOptions

__all__ = ["Trained", "TrainingOptions", "choose_device", "train_model"]
