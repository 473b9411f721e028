"""Which events teach a head, refused where there are none, before anything is encoded or trained; and which items are alike to it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..batches import EventTable, Rows, alike_by
from ..config import Config
from ..data import Dataset, Split
from ..data.augmentation import Alike, AugmentOptions
from ..data.conversions import known_in_training
from ..encoders import ItemContent
from ..errors import ConfigError, DataError
from ..losses import Objective
from ..models import Learned
from ..models.rating_scale import levels_of
from ..training import TrainingOptions

__all__ = ["check_baselines", "check_lessons", "likeness_for", "rows_to_learn"]


def check_lessons(objective: Objective, dataset: Dataset, split: Split) -> None:
    """An error where a head that is asked for has nothing to learn from, or there is no target and no click head that does without."""
    if "click" not in objective.heads and "label" in dataset.events.columns and not dataset.events["positive"].any():
        if (dataset.events["label"] == 0).all(ignore_nulls=False):
            raise DataError(
                f"every label is 0: nothing was taken, so there is nothing to learn for {' and '.join(objective.heads)}. Bring events that were "
                "taken, with the label 1; leave label out of [data.columns], if all were; or ask for heads = {click = 1.0}, of a model that can."
            )
        raise DataError("no event may be a target: [data.rules] positive and target, and the label column, leave none. Loosen them.")
    if "rating" in objective.heads:
        if "value" not in dataset.events.columns or dataset.events["value"].null_count() == len(dataset):
            raise DataError("a rating head learns from values, and no event has one: name their column by value = … in [data.columns].")
        levels_of(dataset.events["value"].gather(split.train), objective.rating_loss)
    if "conversion" not in objective.heads:
        return
    rule = dataset.rules.conversion
    if rule is None:
        raise DataError(
            "a conversion head learns which clicks lead to what they are for, and no rule says what that is: "
            'write conversion = {of = "click", by = "buy", within = 30} in [data.rules], with the kinds and days of your data.'
        )
    known = known_in_training(dataset, split).events["converted"].gather(split.train)
    if not known.any():
        raise DataError(
            f"none of {known.count():,} training events of the kind {rule.of!r} has converted by the end of training: "
            "a conversion head has nothing to learn from; bring more events, or look at [data.rules] conversion."
        )


def check_baselines(config: Config, dataset: Dataset, split: Split) -> None:
    """The same of each baseline, which are trained when the model is."""
    for baseline in config.baselines:
        try:
            check_lessons(config.training.suited(baseline).objective(baseline), dataset, split)
        except DataError as error:
            raise DataError(
                f"[evaluation] baselines: {type(baseline).__name__} cannot be trained beside the model, so leave it out: {error}"
            ) from None


def rows_to_learn(model: Learned, table: EventTable, train: NDArray[np.int64], known: Tensor, options: TrainingOptions, seed: int) -> Rows:
    """Rows of the head that learns: those with a value, or clicks that may convert; or those with labels, with negatives beside the positives
    where no label is 0."""
    size, head = options.batch or 1024, model.objective.first()
    if head in ("rating", "conversion"):
        truth = {"rating": table.values, "conversion": table.converted}[head]
        return Rows(table, train[~torch.isnan(truth[torch.from_numpy(train)]).numpy()], size, length=model.length)
    labels = table.labels[torch.from_numpy(train)].numpy()
    if (labels == 0).any():
        return Rows(table, train[~np.isnan(labels)], size, length=model.length)
    pool = np.arange(len(known)) if options.unknown_as_negatives else np.flatnonzero(known.numpy())
    negatives, redraw = options.drawn("click"), options.redraw_negatives
    return Rows(table, train[table.positive[train]], size, length=model.length, negatives=negatives, pool=pool, redraw=redraw, seed=seed)


def likeness_for(augment: AugmentOptions | None, model: Learned, content: ItemContent) -> Callable[[], Alike] | None:
    """What tells, at the begin of an epoch, which known items are alike: their texts, or else the model as it stands. None: nothing is inserted."""
    if augment is None or not augment.insert:
        return None
    if content.width:
        by_texts = alike_by(content.text, content.known)
        return lambda: by_texts

    def by_model() -> Alike:
        was = model.training
        with torch.no_grad():
            vectors = model.eval().likeness()
        model.train(was)
        if vectors is None:
            raise ConfigError(f"[training] augment insert: {type(model).__name__} does not tell which items are alike, and there are no texts.")
        return alike_by(vectors, content.known)

    return by_model
