"""What is odd about data and the parts chosen for them: nothing that stops a training, but should be known before it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from .. import features, models
from ..component import exported
from ..config import Config
from ..data import Dataset, Given, LeaveLastOut, Split
from ..data.conversions import closed
from ..encoders import NoText
from ..errors import nearest
from ..features import Feature
from ..models import DCNv2, Learned, Model
from ..types import Note

__all__ = ["NEVER_TUNED", "notes_of"]

NEVER_TUNED = Note(
    "never_tuned",
    "validation liked an epoch best in which the language model did not learn yet, so this run is a frozen one: tuning does not help here as it "
    "stands; docs/tuning.md says what to try",
)
"""What a training that is over has to say."""

FEW = 0.1
"""A smaller share of users with one event is nothing to speak of."""


def notes_of(dataset: Dataset, split: Split, config: Config, processes: int = 1) -> list[Note]:
    """Those of the data as they were read, and what of them the model cannot learn from, be asked for, or read. ``processes``: how many train."""
    return [
        *dataset.notes,
        *_parts(dataset, config),
        *_labels(dataset, split, config),
        *_conversions(dataset, split, config),
        *_context(dataset, split, config),
        *_unread(dataset, config),
        *_losses(config),
        *_norms(config, processes),
        *_kinds(dataset, config),
        *_items(dataset, split, config),
        *_users(dataset, config),
    ]


def _parts(dataset: Dataset, config: Config) -> Iterator[Note]:
    """Where events say their part and are divided otherwise."""
    if "split" in dataset.events.columns and not isinstance(config.split, Given):
        so = f'they are divided by {config.split!r}; [split] use = "Given" keeps the parts that are said'
        yield Note("unread_parts", f"events say which part they are of, and those of validation and test train too, for {so}")


def _labels(dataset: Dataset, split: Split, config: Config) -> Iterator[Note]:
    if "label" not in dataset.events.columns:
        return
    labels = dataset.events["label"]
    for part, rows in (("training", split.train), ("validation", split.validation), ("test", split.test)):
        found = labels.gather(rows).drop_nulls().unique().to_list()
        if len(found) != 1:
            continue
        if part == "training" and found == [0]:
            yield Note("one_class", "every training label is 0: nothing was taken, so nothing can be learnt of what will be")
        elif "click" in config.training.objective(config.model).heads:
            if part == "training":
                yield Note("one_class", "every training label is 1: the click head has no negatives to learn from but drawn ones")
            else:
                yield Note("one_class", f"every {part} label is {found[0]}: AUC cannot be told there")


def _conversions(dataset: Dataset, split: Split, config: Config) -> Iterator[Note]:
    rule = dataset.rules.conversion
    if rule is None or "conversion" not in config.training.objective(config.model).heads:
        return
    told = closed(dataset).events["converted"]
    for part, rows in (("validation", split.validation), ("test", split.test)):
        if len(rows) and not told.gather(rows).count():
            yield Note("open_windows", f"no {part} {rule.of} is {rule.within:g} days older than the newest event: what converts cannot be told there")


def _losses(config: Config) -> Iterator[Note]:
    """Losses of heads that the model has not."""
    said, heads, name = config.sections.get("training", {}), config.training.objective(config.model).heads, type(config.model).__name__
    learns = any(isinstance(part, Learned) for part in config.model.parts)
    for option, head in (("loss", "ranking"), ("rating_loss", "rating")):
        if option in said and said[option] != "mse" and not (learns and head in heads):
            why = f"learns its {' and '.join(heads)} head" if learns else "learns in a way of its own"
            yield Note("unread_option", f"{name} {why}, so [training] {option} = {said[option]!r} is not read")


def _norms(config: Config, processes: int) -> Iterator[Note]:
    """Models that standardise over the rows of a batch, where a step goes through it in parts."""
    parts = config.training.accumulate * processes
    if parts > 1 and any(isinstance(part, DCNv2) and part.options.norm and part.options.layers for part in config.model.parts):
        so = f"here one of {parts} parts of a step, and learns otherwise than from the whole at once; with norm = false it learns the same"
        yield Note("parted_norm", f"DCNv2 standardises over the rows that it reads together (norm = true), {so}")


def _context(dataset: Dataset, split: Split, config: Config) -> Iterator[Note]:
    names = [name for name in dataset.columns.moment if f"context:{name}" in dataset.events.columns]
    if "context" not in config.model.abilities.reads:
        model, able = type(config.model).__name__, ", ".join(_who_reads("context"))
        if names:
            yield Note("unread_context", f"{model} reads no context, so it does not see {', '.join(names)}; models that do are {able}")
        asked = [name for name in config.sections.get("evaluation", {}).get("variants", ()) if "context" in name]
        if asked:
            yield Note("no_variant", f"{model} reads no context, so there are no rows for {' and '.join(asked)}; models that read it are {able}")
        return
    held = np.concatenate([split.validation, split.test])
    for name in names:
        column = dataset.events[f"context:{name}"]
        trained = column.gather(split.train)
        known = _flat(trained).unique()
        if not len(known):
            yield Note("constant_context", f"context {name} is missing in all of training: it cannot matter")
        elif len(known) == 1 and not trained.null_count():
            yield Note("constant_context", f"context {name} has one value only: it cannot matter")
        if column.dtype in (pl.String, pl.List(pl.String)):
            new = len(set(_flat(column.gather(held)).unique()) - set(known))
            if new:
                said = "1 value" if new == 1 else f"{new:,} values"
                what = "occurs in validation or test only: it is" if new == 1 else "occur in validation or test only: they are"
                yield Note("unseen_context", f"{said} of context {name} {what} read as missing")


def _unread(dataset: Dataset, config: Config) -> Iterator[Note]:
    """Columns that have a meaning, and that no part reads."""
    columns, reads = dataset.columns, config.model.abilities.reads
    for meaning, names, able in (("context", columns.context, "context"), ("side", columns.side, "side"), ("user_side", columns.user_side, "side")):
        for name in names if able in reads else ():
            kind = dataset.types[name]
            if not any(part.columns({"any": kind}) for part in exported(features, Feature).values()):
                what, instead = ("times", "a number of it, such as the year,") if kind == "time" else ("text", "a category")
                so = f'put {instead} in its place, or say [data.types] {name} = "category", so that each value stands for itself'
                yield Note("unread_column", f"{meaning} {name} holds {what}, which no feature reads there: {so}")
    for meaning, kept in (("image", columns.image), ("vector", columns.vector)):
        if kept is not None:
            yield Note("unread_column", f"{meaning} {kept} is read by nothing yet: leave it out of [data.columns]")
    heads, given = config.training.objective(config.model).heads, config.model.abilities.gives
    if columns.value is not None and "rating" in given and "rating" not in heads and "ranking" not in given:
        so = f"{type(config.model).__name__} learns {' and '.join(heads)} here; [training] heads = {{rating = 1.0}} learns ratings"
        yield Note("unread_values", f"value {columns.value} is not learnt, for {so}")
    if columns.words is not None and "words" not in reads:
        so = f"{type(config.model).__name__} reads no words; models that do are {', '.join(_who_reads('words'))}"
        yield Note("unread_words", f"words {columns.words} is not read, for {so}")
    elif columns.words is not None and (isinstance(config.encoder, NoText) or (config.encoder is None and not columns.text)):
        so = '[data.columns] text, or say use = "HashedText" in [text], which reads what is typed by its spelling'
        yield Note(
            "unread_words", f"words {columns.words} is not read, for without texts no language model is: name the columns that hold texts in {so}"
        )
    if config.data.prompt is not None and not columns.text and config.encoder is None:
        yield Note("unread_prompt", "the prompt is not read, for without [data.columns] text no language model is: name the columns that hold texts")


def _kinds(dataset: Dataset, config: Config) -> Iterator[Note]:
    seen = config.evaluation.exclude_seen
    if isinstance(seen, bool) or "kind" not in dataset.events.columns:
        return
    there = sorted(dataset.events["kind"].unique().drop_nulls())
    for kind in seen:
        if kind not in there:
            so = f"no event is of that kind, so none counts as seen by it; kinds are {', '.join(there)}.{nearest(kind, there)}"
            yield Note("unknown_kind", f"[evaluation] exclude_seen names {kind!r}: {so}".rstrip(".?"))


def _items(dataset: Dataset, split: Split, config: Config) -> Iterator[Note]:
    held = split.test if len(split.test) else split.validation
    items = np.unique(dataset.item_codes[held])
    if not len(items) or np.isin(items, dataset.item_codes[split.train]).any():
        return
    reads, columns = config.model.abilities.reads, dataset.columns
    if not reads & {"text", "side"}:
        able = sorted({*_who_reads("text"), *_who_reads("side")})
        so = f"{type(config.model).__name__} reads nothing of their content; models that do are {', '.join(able)}"
    elif not (columns.text and "text" in reads) and not (dataset.item_facts and "side" in reads):
        so = "nothing that is read tells them apart: name their texts or facts in [data.columns] text and side"
    else:
        so = "only their content speaks for them"
    yield Note("new_items", f"all {len(items):,} held-out items are new: {so}" if len(items) > 1 else f"the held-out item is new: {so}")


def _users(dataset: Dataset, config: Config) -> Iterator[Note]:
    counts = np.bincount(dataset.user_codes, minlength=dataset.n_users)
    active, once = int((counts > 0).sum()), int((counts == 1).sum())
    if once and once >= FEW * active:
        so = "they are in training only" if isinstance(config.split, LeaveLastOut) else "where it is held out, there is nothing to know them by"
        yield Note("one_event", f"{once:,} of {active:,} users have one event: {so}")


def _flat(column: pl.Series) -> pl.Series:
    """Without what is missing; a list is as many values."""
    return (column.explode() if column.dtype == pl.List else column).drop_nulls()


def _who_reads(what: str) -> list[str]:
    known: dict[str, type[Model]] = exported(models, Model)
    return [name for name, part in known.items() if what in part.abilities.reads]
