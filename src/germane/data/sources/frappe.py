"""Frappe: which app was used in which circumstances (Baltrunas et al. 2015, arXiv 1505.03014)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from ..format import Format
from ..readers import read_files
from ..tables import Table
from .base import Source
from .whole import has_columns, whole

__all__ = ["Frappe"]

CONTEXT = ("daytime", "weekday", "isweekend", "homework", "cost", "weather", "country", "city")
ITEMS = ("item", "category", "downloads", "language", "description", "name", "price", "rating", "short desc")
UNKNOWN = "unknown"


class Frappe(Source):
    """Uses of 4,082 apps by 950 people in eight circumstances, in the split of He and Chua 2017. Its split is ``Given``.

    ``events.csv`` holds the training positives and how often each was used (``cnt``); ``valid_pairs.csv`` the labelled validation rows, two
    of label 0 for each of label 1. Both are events here: ``split`` is train or validation, ``label`` 1 for all that trains, ``cnt`` missing
    in validation. **Training negatives are not in the files**; papers draw two apps at random for each positive, in the same circumstances.
    Rows have no times, and their order means nothing. The same app comes again in other circumstances, so that lists should show it
    again: ``[evaluation] exclude_seen = false``.

    What was not known is missing: ``unknown`` in any column, and the city ``0``, which stands with 62 countries. ``price`` is in dollars; other
    currencies are missing. ``cost`` is one of the eight, as in all papers on Frappe, but it is the app's own and never differs between uses of
    one app: it tells of what was taken. Leave it out of ``context`` to know what a service could do.

    Source: https://www.baltrunas.info/context-aware/frappe. For research, with the paper cited; not to be passed on, no commercial use without
    permission.
    """

    folder = "frappe"
    origin = (
        "It reads events.csv (user, item, eight circumstances, cnt), valid_pairs.csv (user, item, the same, label) and items.tsv (item, name, "
        "category …): Frappe of https://www.baltrunas.info/context-aware/frappe in the split of https://github.com/hexiangnan/neural_factorization_machine."
    )
    columns: ClassVar[Mapping[str, Any]] = {
        "user": "user",
        "item": "item",
        "label": "label",
        "split": "split",
        "context": list(CONTEXT),
        "text": ["name", "category", "short desc", "description"],
        "side": ["category", "language", "downloads", "price", "rating"],
    }
    types: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(CONTEXT, "category"),
        "category": "category",
        "language": "category",
        "downloads": "category",
        "price": "number",
        "rating": "number",
    }

    def read(self, path: Path | None = None) -> tuple[Table, Table | None, Table | None]:
        folder = self.home(path)
        for name in ("events.csv", "valid_pairs.csv", "items.tsv"):
            self.file(folder, name)
        said = {"separator": ",", "encoding": "utf-8", "quote": '"'}
        train = whole(read_files("events.csv", folder, Format(**said)), ("user", "item", *CONTEXT, "cnt"))
        validation = whole(read_files("valid_pairs.csv", folder, Format(**said)), ("user", "item", *CONTEXT, "label"))
        return _events(train, validation), _items(has_columns(read_files("items.tsv", folder, Format(**{**said, "separator": "\t"})), ITEMS)), None


def _events(train: Table, validation: Table) -> Table:
    both = pl.concat(
        [
            train.frame.with_columns(label=pl.lit("1"), split=pl.lit("train")),
            validation.frame.with_columns(split=pl.lit("validation")),
        ],
        how="diagonal",
    )
    known = [_known(name) for name in CONTEXT if name != "city"]
    frame = both.with_columns(*known, city=pl.when(~pl.col("city").is_in(["0", UNKNOWN])).then("city"))
    begin = train.frame.height
    return Table(frame, f"{train.name} and {validation.name}", lambda row: train.place(row) if row < begin else validation.place(row - begin))


def _items(table: Table) -> Table:
    dollars = pl.col("price").str.extract(r"^\$([\d,]+\.?\d*)$").str.replace_all(",", "", literal=True)
    frame = table.frame.with_columns(_known(name) for name in table.frame.columns if name != "item")
    price = pl.when(pl.col("price") == "Free").then(pl.lit("0")).otherwise(dollars)
    return Table(frame.with_columns(price=price), table.name, table.where)


def _known(name: str) -> pl.Expr:
    return pl.when(pl.col(name) != UNKNOWN).then(pl.col(name)).alias(name)
