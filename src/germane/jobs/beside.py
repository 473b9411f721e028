"""What stands in a run folder beside the model: figures of each user, also by segment, and the card."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import polars as pl

from ..data import Dataset
from ..evaluation import OF_ROWS
from .card import card
from .train import Judged

__all__ = ["OF_LISTS", "PER_SEGMENT", "as_parquet", "beside", "per_segment", "per_user"]

OF_LISTS = ("coverage@10", "novelty@10")
"""Figures of all lists as a whole: no user has one of his own."""
PER_SEGMENT = "per_segment.parquet"


def beside(facts: Mapping[str, Any], dataset: Dataset, judged: Judged, sections: Mapping[str, Any]) -> dict[str, bytes]:
    """Files by name. ``facts``: those of ``about.json``; ``sections``: of the config."""
    return {"card.md": card(facts, judged.rows, sections).encode(), PER_SEGMENT: as_parquet(per_segment(dataset, judged))}


def per_user(dataset: Dataset, judged: Judged) -> pl.DataFrame:
    """Each judged user's own figures, for paired tests."""
    return _by_user(dataset, judged.cases, judged.pairs)


def per_segment(dataset: Dataset, judged: Judged) -> pl.DataFrame:
    """The same by segment."""
    parts = []
    for name, (of_lists, of_pairs) in judged.segments.items():
        pairs = judged.pairs.filter(of_pairs) if judged.pairs.height else judged.pairs
        frame = _by_user(dataset, judged.cases.filter(of_lists), pairs)
        parts.append(frame.insert_column(1, pl.lit(name).alias("segment")))
    return pl.concat(parts, how="diagonal_relaxed") if parts else pl.DataFrame(schema={"user": pl.String, "segment": pl.String})


def _by_user(dataset: Dataset, lists: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    frame = lists.group_by("user").agg(pl.exclude("row", "item", "rank", *OF_LISTS).mean())
    if rows.height:
        frame = frame.join(rows.group_by("user").agg(pl.col(OF_ROWS).mean()), on="user", how="full", coalesce=True)
    frame = frame.sort("user")
    return frame.with_columns(user=dataset.users["id"].gather(frame["user"]))


def as_parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()
