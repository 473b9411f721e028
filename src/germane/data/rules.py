"""``[data.rules]`` applied: which events count, for how much, and which may be targets."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from ..errors import DataError, nearest
from ..types import Note
from .columns import Columns, Rules
from .conversions import follow
from .expression import Condition

__all__ = ["apply", "lacking"]


def apply(events: pl.DataFrame, rules: Rules, columns: Columns) -> tuple[pl.DataFrame, list[Note]]:
    """Events in order, with ``user`` and ``item`` codes, to the same with ``weight`` and ``positive``, unwanted rows gone."""
    _check(events, rules, columns)
    notes: list[Note] = []
    if "kind" in events.columns:
        unheard = sorted(set(rules.kinds) - set(events["kind"].unique().drop_nulls()))
        if unheard:
            notes.append(Note("unknown_kind", f"[data.rules] kinds names {', '.join(unheard)}, which no event has"))
    if rules.conversion is not None:
        events = follow(events, rules.conversion)  # before duplicates go: the first purchase ends the wait
    weight: pl.Expr = pl.lit(1.0)
    if rules.kinds:
        weight = pl.col("kind").replace_strict(list(rules.kinds), list(rules.kinds.values()), default=1.0, return_dtype=pl.Float64).fill_null(1.0)
    events = events.with_columns(weight=weight.cast(pl.Float32))
    before = events.height
    events = _merge_duplicates(events, rules)
    if events.height < before:
        notes.append(
            Note("duplicates", f"{before - events.height:,} events had a later one of the same user and item (duplicates = {rules.duplicates!r})")
        )
    events = events.with_columns(positive=_positive(events, rules))
    before = events.height
    events = _core(events, rules)
    if events.height < before:
        notes.append(Note("few_events", f"{before - events.height:,} events belonged to users or items with too few events"))
    if events.height == 0:
        raise DataError(
            f"no event is left: every user has fewer than {rules.min_user_events} or every item fewer than {rules.min_item_events} events. "
            f"Lower min_user_events or min_item_events in [data.rules]."
        )
    if "label" not in events.columns and not events["positive"].any():  # rows with labels teach a click head without any target
        raise DataError("no event may be a target: [data.rules] positive and target leave none. Loosen them.")
    return events, notes


def lacking(rules: Rules, columns: Columns) -> Iterator[str]:
    """What the rules ask for, and no column is named to hold."""
    if rules.positive is not None and columns.value is None:
        yield f"[data.rules] positive = {rules.positive!r} compares the value of an event: name its column by value = … in [data.columns]."
    if columns.kind is None and (rules.kinds or rules.target is not None or rules.conversion is not None):
        yield "[data.rules] kinds, target and conversion speak of the kind of an event: name its column by kind = … in [data.columns]."
    if columns.time is None and rules.conversion is not None:
        yield "[data.rules] conversion asks how long it takes: name the column of times by time = … in [data.columns]."


def _check(events: pl.DataFrame, rules: Rules, columns: Columns) -> None:
    if faults := list(lacking(rules, columns)):
        raise DataError("\n".join(faults))
    asked = {} if rules.target is None else {"target": rules.target}
    if rules.conversion is not None:
        asked |= {"conversion of": rules.conversion.of, "conversion by": rules.conversion.by}
    if asked:
        kinds = sorted(events["kind"].unique().drop_nulls())
        for said, kind in asked.items():
            if kind not in kinds:
                raise DataError(f"[data.rules] {said} = {kind!r}: no event is of that kind; kinds are {', '.join(kinds)}.{nearest(kind, kinds)}")


def _merge_duplicates(events: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    if rules.duplicates == "keep":
        return events
    key = [name for name in ("user", "item", "kind", "split") if name in events.columns]
    if rules.duplicates == "last":
        return events.unique(subset=key, keep="last", maintain_order=True)
    summed = [name for name in ("value", "weight") if name in events.columns]
    sums = [pl.when(pl.col(name).count() > 0).then(pl.col(name).sum()).alias(name) for name in summed]
    rest = [name for name in events.columns if name not in key and name not in summed]
    merged = events.with_row_index("#").group_by(key, maintain_order=True).agg(*sums, pl.col("#", *rest).last())
    return merged.sort("#").select(events.columns)  # each stands where its last event stood


def _positive(events: pl.DataFrame, rules: Rules) -> pl.Expr:
    positive = pl.lit(True)
    if rules.positive is not None:
        positive &= Condition.parse(rules.positive)(pl.col("value")).fill_null(False)
    if rules.target is not None:
        positive &= (pl.col("kind") == rules.target).fill_null(False)
    if "label" in events.columns:
        positive &= (pl.col("label") != 0).fill_null(True)
    return positive


def _core(events: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Drop users and items with too few events, again and again, since each round may leave others with too few."""
    enough = []
    if rules.min_user_events > 1:
        enough.append(pl.len().over("user") >= rules.min_user_events)
    if rules.min_item_events > 1:
        enough.append(pl.len().over("item") >= rules.min_item_events)
    while enough:
        kept = events.filter(*enough)
        if kept.height == events.height:
            break
        events = kept
    return events
