"""Last.fm tags: which words people typed for which artist, and when (HetRec 2011: Cantador, Brusilovsky, Kuflik, doi 10.1145/2043932.2044016)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from ..tables import Table
from .base import Source
from .lines import read_lines

__all__ = ["LastFM"]

FOUNDED = "2002"
"""Last.fm's first year: what is dated before cannot have been typed there."""


class LastFM(Source):
    """Words that 1,892 people typed for 12,523 artists (HetRec 2011): an event is a query and the artist it meant. Its split is ``ByTime``.

    ``user_taggedartists.dat`` (and its second half ``user_taggedartists_2.dat``, where it was cut in two) holds a line for each user, artist, tag and
    day; ``tags.dat`` spells the tags and ``artists.dat`` names 17,632 artists, of whom 5,499 were never tagged. **What a user typed for an artist
    on one day is one event**: its ``words`` are the tags, parted by commas. A row a tag would ask for the same artist up
    to 50 times in a row, each time with the answer as the newest of the history.

    Most days are the first of a month: the files tell months. Events of one month stand in order of artists, not of time. Five tags
    are dated before Last.fm was founded (1956 to 1979): they have no time and are dropped with a note. Artists that ``artists.dat`` does not
    name (390) are items without a name. ``user_artists.dat`` (plays) and ``user_friends.dat`` are not read.

    Source: https://grouplens.org/datasets/hetrec-2011. For non-commercial use; commercial use is for Last.fm to allow.
    """

    folder = "lastfm-2k"
    origin = "It reads user_taggedartists.dat, tags.dat and artists.dat of hetrec2011-lastfm-2k.zip, from https://grouplens.org/datasets/hetrec-2011."
    columns: ClassVar[Mapping[str, Any]] = {
        "user": "userID",
        "item": {"events": "artistID", "items": "id"},
        "time": "day",
        "words": "words",
        "text": ["name"],
    }

    def read(self, path: Path | None = None) -> tuple[Table, Table | None, Table | None]:
        folder = self.home(path)
        first, tags, artists = (self.file(folder, name) for name in ("user_taggedartists.dat", "tags.dat", "artists.dat"))
        second = folder / "user_taggedartists_2.dat"
        halves = [first, second] if second.is_file() else [first]
        typed = r"(?<userID>\d+)\t(?<artistID>\d+)\t(?<tagID>\d+)\t(?<day>\d{1,2})\t(?<month>\d{1,2})\t(?<year>\d{4})"
        tables = [read_lines(half, typed, "numbers of user, artist, tag, day, month and year, parted by tabs,", header=True) for half in halves]
        spelled = read_lines(
            tags, r"(?<tagID>\d+)\t(?<words>.*)", "a number and a tag, parted by a tab,", header=True, encodings=("utf-8", "latin-1")
        )
        named = r"(?<id>\d+)\t(?<name>[^\t]+)(?:\t(?<url>[^\t]*))?(?:\t(?<pictureURL>[^\t]*))?"
        return _events(tables, spelled.frame), read_lines(artists, named, "a number and a name, parted by a tab,", header=True), None


def _events(tables: list[Table], tags: pl.DataFrame) -> Table:
    """A row for each user, artist and day, the words joined."""
    day = pl.concat_str(pl.col("year"), pl.col("month").str.zfill(2), pl.col("day").str.zfill(2), separator="-")
    rows = pl.concat([table.frame.with_columns(source=pl.lit(place)).with_row_index("row") for place, table in enumerate(tables)])
    dated = rows.with_columns(day=pl.when(pl.col("year") >= FOUNDED).then(day))
    spelled = dated.join(tags.unique("tagID", keep="last"), on="tagID", how="left", maintain_order="left")
    told = spelled.group_by("userID", "artistID", "day", maintain_order=True).agg(pl.col("words").str.join(", "), pl.first("source", "row"))
    source, line = told["source"], told["row"]
    name = " and ".join(table.name for table in tables)
    return Table(told.drop("source", "row"), name, lambda row: tables[source[row]].place(line[row]))
