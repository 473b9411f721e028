"""Fit a recommender's parts on one division of the data: one model, the members of a blend, the first of two stages."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from ..batches import Rows, Timelines, own_phrases
from ..data import Dataset, Split
from ..data.conversions import known_in_training
from ..errors import TrainingError
from ..evaluation import Cases, EvaluationOptions, Validation, cases_of, weigh
from ..models import Blend, Counted, Learned, TwoStage
from ..recommender import Recommender
from ..training import Progress, Stopped, Told, Trained, TrainingOptions, train_model
from .lessons import likeness_for, rows_to_learn
from .resuming import how_to_go_on
from .tuning import keep_tuned, renewal

__all__ = ["Fitting", "Shown", "first_alone"]

Shown = Callable[[Told, Learned, Cases], None]
"""Hears the end of each epoch that was validated, with the model as it stands and the cases that it was judged on."""


@dataclass(frozen=True)
class Fitting:
    """All that a training goes by."""

    recommender: Recommender
    dataset: Dataset
    split: Split
    options: TrainingOptions
    judged_by: EvaluationOptions
    checkpoint: Path | None
    progress: Progress | None
    shown: Shown | None = None
    part: str = ""
    """What ``progress`` is told that this is."""
    later: int = 0
    """Fittings of everything that come after this one."""
    still: int = 0
    """Trainings of one model that come after this one."""
    start: Mapping[str, Tensor] | None = None
    """Weights to begin with; None: at random."""
    chosen: Trained | None = None
    """The training whose best epochs are gone through once more; None: validation has yet to choose among those of ``options``."""

    def anew(self, split: Split, folder: str, chosen: list[Trained] | None = None, later: int = 0) -> list[Trained]:
        """Fit on another division, with checkpoints in a ``folder`` of its own; ``chosen``: how each part was trained before, if it was."""
        torch.manual_seed(self.recommender.seed)
        # Where a second model has learnt codes, or will, these keep their meaning.
        features = self.recommender.features if isinstance(self.recommender.model, TwoStage) else None
        self.recommender.prepare(self.dataset.take(split.train), features=features)
        checkpoint = self.checkpoint / folder if self.checkpoint else None
        return replace(self, split=split, checkpoint=checkpoint, part=folder, later=later).parts(chosen)

    @property
    def epochs(self) -> int:
        """At most so many are gone through."""
        return self.options.epochs if self.chosen is None else self.chosen.again[0]

    def validation(self) -> Cases:
        return cases_of(self.recommender, self.dataset, self.split, "validation", self.judged_by)

    def parts(self, chosen: list[Trained] | None = None) -> list[Trained]:
        """Fit the model, or each member of a blend and then, with a validation part, their weights; below a second model, the first."""
        first = replace(self, recommender=first_alone(self.recommender))
        model = first.recommender.model
        members = model.members if isinstance(model, Blend) else (model,)
        trained = []
        for place in range(len(members)):
            member = first._member(place, None if chosen is None else chosen[place])
            before = members[place - 1].state() if place and isinstance(model, Blend) and model.options.snapshots else None
            trained.append(replace(member, start=before).one())
        if isinstance(model, Blend) and len(self.split.validation):
            weigh(model, first.validation(), self.judged_by, self.recommender.seed)
        if isinstance(self.recommender.model, TwoStage):
            self.recommender.model.features.fit(self.dataset.take(self.split.train).taken())
        return trained

    def _member(self, place: int, chosen: Trained | None) -> Fitting:
        """The member at ``place`` of a blend, with a seed of its own; else the model."""
        whole = self.recommender.model
        if not isinstance(whole, Blend):
            return replace(self, chosen=chosen, still=self.later)
        part = copy.copy(self.recommender)
        part.model, part.seed = whole.members[place], self.recommender.seed + place
        checkpoint = self.checkpoint / f"member-{place}" if self.checkpoint else None
        learn = [isinstance(member, Learned) for member in whole.members]
        still = sum(learn[place + 1 :]) + self.later * sum(learn)
        named = f"{self.part} member {place + 1}".strip()
        return replace(self, recommender=part, chosen=chosen, checkpoint=checkpoint, part=named, still=still)

    def one(self) -> Trained:
        model = self.recommender.model
        if isinstance(model, Counted):
            torch.manual_seed(self.recommender.seed)
            model.fit(self.dataset.take(self.split.train).taken())
            return Trained()
        if isinstance(model, Learned):
            return self._learned(model)
        raise TrainingError(f"{type(model).__name__} is neither Counted nor Learned: a model is one of the two.")

    def lesson(self, model: Learned) -> tuple[Timelines | Rows, Dataset]:
        """What ``model`` learns from, cut into batches, and the training events; the model takes its constants from these."""
        recommender, options, split = self.recommender, self.options, self.split
        known = known_in_training(self.dataset, split) if "conversion" in model.objective.heads else self.dataset
        train = known.take(split.train)
        model.warm(train.taken(), recommender.content)
        typed, phrases, share = recommender.typed(self.dataset), None, getattr(model.options, "words_share", 0.0)
        if typed is not None and share and self.dataset.columns.text:
            own, phrases = own_phrases(train, recommender.encode_words, len(typed[0]))
            typed = typed[0] + own, typed[1]
        table = recommender.table(known, visible=split.train, words=typed)
        feed: Timelines | Rows
        if model.learns_from == "rows":
            feed = rows_to_learn(model, table, split.train, recommender.content.known, options, recommender.seed)
        else:
            shown = split.train[(table.labels[torch.from_numpy(split.train)] == 0).numpy()] if "click" in model.objective.heads else split.train[:0]
            if len(shown):
                model.objective = replace(model.objective, click_negatives=0)
            feed = Timelines(
                table,
                model.length,
                options.batch or 32,
                phrases=phrases,
                phrase_share=share,
                shown=shown,
                augment=options.augment,
                alike=likeness_for(options.augment, model, recommender.content),
            )
        if options.seen_as_negatives is None:
            model.objective = replace(model.objective, seen_as_negatives=recommender.exclude_seen is not True)
        return feed, train

    def _learned(self, model: Learned) -> Trained:
        recommender, options = self.recommender, self.options.model_copy(update={"epochs": self.epochs})
        feed, train = self.lesson(model)
        if (learning := model.texts_that_learn()) is not None:
            learning.wait(self.options.epochs)
            if self.chosen is not None and self.chosen.waited:
                learning.wake(self.chosen.again[1])
        if self.start is not None:
            model.load_state(dict(self.start))
        cases = self.validation() if len(self.split.validation) else None
        validate = Validation(model, cases, self.judged_by, options.metric) if cases is not None else None
        tables = [feed.table] if cases is None else [feed.table, cases.table]
        phrased = isinstance(feed, Timelines) and feed.phrases is not None
        refresh = renewal(recommender, model, self.dataset, tables, train if phrased else None)
        progress = self._telling(model, cases)
        try:
            trained = train_model(
                model, feed, options, seed=recommender.seed, validate=validate, checkpoint=self.checkpoint, progress=progress, refresh=refresh
            )
        except Stopped as stop:
            raise TrainingError(how_to_go_on(stop, self.checkpoint)) from None
        keep_tuned(recommender, model, self.dataset)
        return trained

    def _telling(self, model: Learned, cases: Cases | None) -> Progress | None:
        """Adds what the loop does not know: which part this is, and what is ahead."""
        if self.progress is None and self.shown is None:
            return None

        def tell(told: Told) -> None:
            told = replace(told, part=self.part, ahead=self.epochs * (1 + self.still) - told.epoch)
            if self.progress is not None:
                self.progress(told)
            if self.shown is not None and told.ended and cases is not None:
                self.shown(told, model, cases)

        return tell


def first_alone(recommender: Recommender) -> Recommender:
    """The same without its second model; itself where there is none."""
    if not isinstance(recommender.model, TwoStage):
        return recommender
    alone = copy.copy(recommender)
    alone.model = recommender.model.first
    return alone
