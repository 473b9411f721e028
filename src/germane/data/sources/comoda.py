"""LDOS-CoMoDa: film ratings, and the circumstances in which each film was seen (Košir et al. 2011)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from ..format import Format
from ..readers import read_files
from ..tables import Table
from .base import Source
from .whole import whole

__all__ = ["LDOSCoMoDa"]

CONTEXT = ("daytime", "daytype", "season", "location", "weather", "social", "mood", "physical", "decision", "interaction")
FELT = ("endEmo", "dominantEmo")
PEOPLE = ("age", "sex", "city", "country")
FILM = ("director", "movieCountry", "movieLanguage", "movieYear")
HEADER = (
    *("userID", "itemID", "rating", *PEOPLE, "time", "daytype", "season", "location", "weather", "social", *FELT, "mood", "physical", "decision"),
    *("interaction", *FILM, "genre1", "genre2", "genre3", "actor1", "actor2", "actor3", "budget"),
)
MISSING = "-1"
OLDEST = 120


class LDOSCoMoDa(Source):
    """Film ratings from 1 to 5 in twelve circumstances; films and people are known by codes, without titles. Its split is ``Random``.

    ``CoMoDa_with_header.csv`` (2,248 ratings by 82 people), else the original ``LDOS-CoMoDa.csv`` without a header (2,296 by 121). Ratings have no
    times, and the order of the file is by user. -1 is missing, and so is an age above 120.

    Ten circumstances are ``context``: ``daytime`` (the file's ``time``, which is a query's own word for the clock: 1 morning, 2 afternoon,
    3 evening, 4 night), ``daytype`` (working day, weekend, holiday), ``season`` (spring, summer, autumn, winter), ``location`` (home, public place,
    a friend's house), ``weather`` (sunny, rainy, stormy, snowy, cloudy), ``social`` (alone, partner, friends, colleagues, parents, public, family),
    ``mood`` (positive, neutral, negative), ``physical`` (healthy, ill), ``decision`` (own choice, given), ``interaction`` (first time, again).
    The other two, ``endEmo`` and ``dominantEmo``, are what the film made its viewer feel: known only once it has been seen, they would leak the
    rating, so they are columns of the events and no context. ``decision`` and ``interaction`` speak of the film that was seen: they tell of a
    rating to come, but leave them out where films are to be ranked.

    Sources: Košir, Odić, Kunaver, Tkalčič, Tasič 2011, "Database for contextual personalization", Elektrotehniški vestnik 78(5);
    Odić et al. 2013, doi 10.1093/iwc/iws003. For research, on request from its makers; not to be passed on.
    """

    folder = "ldos-comoda"
    origin = "It reads CoMoDa_with_header.csv, or LDOS-CoMoDa.csv as https://www.lucami.org gives it on request."
    columns: ClassVar[Mapping[str, Any]] = {
        "user": "userID",
        "item": "itemID",
        "value": "rating",
        "context": list(CONTEXT),
        "side": ["director", "movieCountry", "movieLanguage", "movieYear", "genres", "actors", "budget"],
        "user_side": list(PEOPLE),
    }
    types: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys((*CONTEXT, "director", "movieCountry", "movieLanguage", "sex", "city", "country"), "category"),
        **dict.fromkeys(("movieYear", "budget", "age"), "number"),
        **dict.fromkeys(("genres", "actors"), "categories"),
    }

    def read(self, path: Path | None = None) -> tuple[Table, Table | None, Table | None]:
        folder = self.home(path)
        name = self.file(folder, "CoMoDa_with_header.csv", "LDOS-CoMoDa.csv").name
        header: bool | tuple[str, ...] = name == "CoMoDa_with_header.csv" or HEADER
        table = whole(read_files(name, folder, Format(separator=",", header=header)), HEADER)
        known = table.frame.select(pl.when(pl.col(name).str.strip_chars() != MISSING).then(pl.col(name).str.strip_chars()) for name in HEADER)
        known = known.rename({"time": "daytime"})
        age = pl.when(pl.col("age").cast(pl.Float64, strict=False).fill_null(0) <= OLDEST).then("age")
        genres, actors = (_together(f"{one}{n}" for n in (1, 2, 3)).alias(f"{one}s") for one in ("genre", "actor"))
        return (
            Table(known.select("userID", "itemID", "rating", *CONTEXT, *FELT), name, table.where),
            _once(known.select("itemID", *FILM, genres, actors, "budget"), table),
            _once(known.select("userID", age, "sex", "city", "country"), table),
        )


def _together(names: Iterable[str]) -> pl.Expr:
    """Several columns as one of several values, each once."""
    return pl.concat_list(list(names)).list.drop_nulls().list.unique(maintain_order=True)


def _once(frame: pl.DataFrame, table: Table) -> Table:
    """One row for all that tell the same of one id, at the place of the first."""
    kept = frame.with_row_index("row").unique(frame.columns, keep="first", maintain_order=True)
    rows = kept["row"]
    return Table(kept.drop("row"), table.name, lambda row: table.place(rows[row]))
