"""Fitting models by gradients."""

from ..encoders.device import choose_device
from .adversarial import AdversarialOptions, Adversary
from .checkpoints import Trained
from .contrast import ContrastOptions
from .distributed import Processes, check_alone
from .loop import train_model
from .masked import MaskedOptions
from .options import TrainingOptions
from .precision import chosen_precision
from .range_test import RangeTest, range_test
from .told import Progress, Told
from .trouble import Stopped, is_out_of_memory

__all__ = [
    "AdversarialOptions",
    "Adversary",
    "ContrastOptions",
    "MaskedOptions",
    "Processes",
    "Progress",
    "RangeTest",
    "Stopped",
    "Told",
    "Trained",
    "TrainingOptions",
    "check_alone",
    "choose_device",
    "chosen_precision",
    "is_out_of_memory",
    "range_test",
    "train_model",
]
