"""Probabilities that mean what they say: monotone maps from what a click head states to what was observed.

Knows arrays only. ``[training] calibrate`` names one; it is fitted on the validation rows and saved with the run.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib.util import find_spec
from itertools import pairwise
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, ValidationError, ValidationInfo, field_validator
from torch import Tensor
from torch.nn import functional

from .component import Options, faults
from .errors import AbilityError, ConfigError, nearest
from .metrics.checks import labels as check_labels
from .metrics.checks import numbers, same_length

__all__ = ["KINDS", "Calibration", "Isotonic", "Kind", "Platt", "Temperature", "read"]

Kind = Literal["platt", "isotonic", "temperature"]

FLATTEST = 1e-9
"""Slope over the range of logits where validation rows find no order in them: a map stays monotone."""


class Calibration(Options, ABC):
    """A monotone map from logits to probabilities: what it holds was fitted, is saved as it stands, and is checked when it is read."""

    kind: Kind
    """Its name where it is saved."""

    @classmethod
    def check(cls) -> None:
        """Refuse, before anything is trained, what could not be fitted here."""

    @classmethod
    @abstractmethod
    def fit(cls, logits: ArrayLike, labels: ArrayLike) -> Self:
        """From [rows] logits and what happened, 0 or 1; both must occur."""

    @abstractmethod
    def __call__(self, logits: Tensor) -> Tensor:
        """[...] probabilities, float64, of logits [...]."""


class Temperature(Calibration):
    """``sigmoid(logit / temperature)``: above 1 for a model that is too sure of itself.

    One number, so a hundred rows will do; a probability of a half stays where it is. Prefer ``Platt`` where the share of positives is wrong as well.

    >>> Temperature.fit([4.0, 4.0, 4.0, 4.0, -4.0, -4.0, -4.0, -4.0], [1, 1, 1, 0, 0, 0, 0, 1])
    Temperature(kind='temperature', temperature=5.7...)

    Source: Guo et al., On Calibration of Modern Neural Networks, 2017.
    """

    kind: Literal["temperature"] = "temperature"
    """Its name where it is saved."""
    temperature: float = Field(gt=0)
    """What logits are divided by."""

    @classmethod
    def fit(cls, logits: ArrayLike, labels: ArrayLike) -> Temperature:
        slope, _ = _likeliest(*_both_classes(logits, labels), shifts=False)
        return cls(temperature=1 / slope)

    def __call__(self, logits: Tensor) -> Tensor:
        return (logits.double() / self.temperature).sigmoid()


class Platt(Calibration):
    """``sigmoid(slope · logit + shift)``: also moves the share of positives, which is wrong where training drew its negatives.

    Two numbers; prefer ``Temperature`` with fewer than some hundred rows, ``Isotonic`` where thousands of rows say that the curve is no sigmoid.

    >>> Platt.fit([2.0, 2.0, 2.0, 2.0, -2.0, -2.0, -2.0, -2.0], [1, 0, 0, 0, 0, 0, 0, 0]).shift < 0
    True

    Source: Platt, Probabilistic Outputs for Support Vector Machines, 1999, with his targets; Lin, Lin and Weng, 2007.
    """

    kind: Literal["platt"] = "platt"
    """Its name where it is saved."""
    slope: float = Field(gt=0)
    """What logits are multiplied by."""
    shift: float
    """What is added to them."""

    @classmethod
    def fit(cls, logits: ArrayLike, labels: ArrayLike) -> Platt:
        slope, shift = _likeliest(*_both_classes(logits, labels), shifts=True)
        return cls(slope=slope, shift=shift)

    def __call__(self, logits: Tensor) -> Tensor:
        return (self.slope * logits.double() + self.shift).sigmoid()


class Isotonic(Calibration):
    """The non-decreasing curve with the least squared error (pool adjacent violators), straight between its corners, level beyond them.

    Follows any shape, so it wants thousands of rows; with few it learns their accidents. Makes ties, which move AUC a little. Shares of 0 and 1 are
    cut at 1 / (rows + 2), the rule of succession: no number of rows makes certain.

    >>> Isotonic.fit([-2.0, -1.0, 1.0, 2.0], [0, 1, 0, 1]).to
    (0.1666..., 0.5, 0.5, 0.8333...)

    Source: Zadrozny and Elkan, Transforming Classifier Scores into Accurate Multiclass Probability Estimates, 2002. Fitted by scipy.
    """

    kind: Literal["isotonic"] = "isotonic"
    """Its name where it is saved."""
    at: tuple[float, ...] = Field(min_length=1)
    """Probabilities that the model states, ascending: the corners of the curve."""
    to: tuple[float, ...] = Field(min_length=1)
    """What each becomes; never falling."""

    @field_validator("at")
    @classmethod
    def _ascends(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not (value[0] >= 0 and value[-1] <= 1 and all(a < b for a, b in pairwise(value))):
            raise ValueError("should ascend within 0 and 1")
        return value

    @field_validator("to")
    @classmethod
    def _never_falls(cls, value: tuple[float, ...], info: ValidationInfo) -> tuple[float, ...]:
        if not (value[0] > 0 and value[-1] < 1 and all(a <= b for a, b in pairwise(value))):
            raise ValueError("should never fall, between 0 and 1")
        if len(value) != len(info.data.get("at", value)):
            raise ValueError(f"should have one value for each of the {len(info.data['at'])} of at")
        return value

    @classmethod
    def check(cls) -> None:
        if find_spec("scipy") is None:
            raise AbilityError("isotonic calibration is fitted by the library scipy, which is not installed: pip install 'germane[calibration]'.")

    @classmethod
    def fit(cls, logits: ArrayLike, labels: ArrayLike) -> Isotonic:
        x, y = _both_classes(logits, labels)
        cls.check()
        from scipy.optimize import isotonic_regression

        stated, place, counts = np.unique(torch.from_numpy(x).sigmoid().numpy(), return_inverse=True, return_counts=True)
        pooled = isotonic_regression(np.bincount(place, weights=y) / counts, weights=counts).x  # [distinct statements]
        changes = np.diff(pooled) != 0
        corner = np.r_[True, changes] | np.r_[changes, True]  # the first and the last of each level stretch
        least = 1 / (len(y) + 2)
        return cls(at=tuple(stated[corner].tolist()), to=tuple(pooled[corner].clip(least, 1 - least).tolist()))

    def __call__(self, logits: Tensor) -> Tensor:
        stated = logits.double().sigmoid()
        return torch.from_numpy(np.interp(stated.cpu().numpy(), self.at, self.to)).to(logits.device)


KINDS: Mapping[str, type[Calibration]] = {"platt": Platt, "isotonic": Isotonic, "temperature": Temperature}


def read(said: Any) -> Calibration:
    """Back from its JSON form, every value checked.

    >>> read({"kind": "temperature", "temperature": 0})
    Traceback (most recent call last):
    ...
    germane.errors.ConfigError: calibration option temperature = 0: should be greater than 0.
    """
    kind = said.get("kind") if isinstance(said, Mapping) else None
    if not isinstance(kind, str) or kind not in KINDS:
        raise ConfigError(f"a calibration of the kind {kind!r}: kinds are {', '.join(KINDS)}.{nearest(kind, KINDS)}")
    try:
        return KINDS[kind].model_validate(said)
    except ValidationError as error:
        raise ConfigError(faults(error, "calibration", KINDS[kind])) from None


def _both_classes(logits: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, y = numbers(logits, "logits"), check_labels(labels)
    same_length("logits", x, "labels", y)
    if not np.isfinite(x).all():
        raise ValueError(f"{int(np.isinf(x).sum())} of {len(x)} logits are infinite: none can be calibrated.")
    if y.all() or not y.any():
        raise ValueError(f"of {len(y)} labels {int(y.sum())} are 1: a calibration needs labels of both kinds.")
    return x, y.astype(np.float64)


def _likeliest(x: NDArray[np.float64], y: NDArray[np.float64], shifts: bool) -> tuple[float, float]:
    """Slope, above 0, and shift. Targets are a little inside of 0 and 1, so that rows that are told apart wholly do not ask for an endless slope."""
    positives, negatives = y.sum(), len(y) - y.sum()
    targets = np.where(y == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    scale, usual = float(np.abs(x).max()) or 1.0, float(targets.mean()) if shifts else 0.5
    if ((targets - usual) * x).sum() <= 0:  # the rows say the reverse of the model, or nothing: the flattest map is the best
        return FLATTEST / scale, float(np.log(usual / (1 - usual)))
    told, inside = torch.from_numpy(x / scale), torch.from_numpy(targets)
    log_slope, shift = torch.zeros((), dtype=torch.float64, requires_grad=True), torch.zeros((), dtype=torch.float64, requires_grad=shifts)
    learns = [log_slope, shift] if shifts else [log_slope]
    optimiser = torch.optim.LBFGS(learns, max_iter=500, tolerance_grad=1e-10, tolerance_change=1e-14, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = functional.binary_cross_entropy_with_logits(log_slope.exp() * told + shift, inside)
        loss.backward()
        return loss

    optimiser.step(closure)
    return max(float(log_slope.detach().exp()), FLATTEST) / scale, float(shift.detach())
