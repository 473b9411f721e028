"""The calibration of a click head, chosen on validation."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ..calibration import KINDS, Calibration, Kind
from ..data import Dataset, Split
from ..errors import ConfigError, DataError, TrainingError
from ..models import Model
from .cases import Cases
from .pairs import asked

__all__ = ["check_calibration", "choose_calibration", "labels_at"]


def check_calibration(kind: Kind, dataset: Dataset, split: Split) -> None:
    """Refuse, before anything is trained, what cannot be fitted: both labels must be among the validation rows.

    Negatives are not drawn for it: the share of positives among them would be the draw's, and that share is half of what is fitted.
    """
    KINDS[kind].check()
    said = f"[training] calibrate = {kind!r}"
    if not len(split.validation):
        raise ConfigError(f"{said} is fitted on validation rows, and [split] holds none out: give it a validation part, or leave calibrate out.")
    labels = labels_at(dataset, split.validation)
    positives, negatives = int((labels == 1).sum()), int((labels == 0).sum())
    if not positives or not negatives:
        raise DataError(
            f"{said} needs validation rows with both labels, and of {len(labels):,} rows {positives:,} have the label 1 and {negatives:,} "
            "the label 0: name the column that holds them by label = … in [data.columns], with a [split] that holds out what was not taken too "
            "(ByTime, Random, Given), or leave calibrate out."
        )


def choose_calibration(kind: Kind, model: Model, cases: Cases) -> Calibration:
    """Fitted on the cases that have a label, asked as they are judged. Cost: that of one judging of single rows."""
    cases = cases.only(~cases.table.labels.isnan().numpy()[cases.rows])
    with torch.inference_mode():
        logits = torch.cat([model.clicks(queries, items)[:, 0] for queries, items in asked(model, cases)]).double().numpy()
    if not np.isfinite(logits).all():
        wrong = int((~np.isfinite(logits)).sum())
        raise TrainingError(f"{type(model).__name__} states {wrong:,} of {len(logits):,} validation clicks as no number: nothing can be calibrated.")
    return KINDS[kind].fit(logits, cases.table.labels.numpy()[cases.rows])


def labels_at(dataset: Dataset, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """[rows] 0 and 1, NaN where there is none."""
    if "label" not in dataset.events.columns:
        return np.full(len(rows), np.nan)
    return dataset.events["label"].gather(rows).cast(float).to_numpy()
