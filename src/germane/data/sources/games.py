"""Amazon Video Games: who bought which game or device after which, without times (Ni et al. 2019, doi 10.18653/v1/D19-1018)."""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from ..tables import Table
from .base import Source
from .lines import read_lines

__all__ = ["Games"]


class Games(Source):
    """Amazon Video Games 2018: 440,264 events of 50,546 users in order, without times; titles as texts. Its split is ``LeaveLastOut``.

    ``Games-6k.test.inter`` holds a line a user: the user, the history, oldest first, and the held-out last item, which here is the last
    event. ``Games.item`` (or, under its first name, ``Games-6k.item``) holds the titles; what HTML spells as ``&amp;`` is written out.
    Published figures hold out the last item: that is ``LeaveLastOut()``.

    Source: the files of LLMRank (Hou et al. 2024, arXiv 2305.08845). The reviews belong to Amazon and their writers: for research, not to be
    passed on.
    """

    folder = "games"
    origin = (
        "It reads Games-6k.test.inter and Games.item (there called Games-6k.item), "
        "from llmrank/dataset/Games-6k of https://github.com/RUCAIBox/LLMRank."
    )
    columns: ClassVar[Mapping[str, Any]] = {"user": "user_id", "item": "item_id", "text": ["title"]}

    def read(self, path: Path | None = None) -> tuple[Table, Table | None, Table | None]:
        folder = self.home(path)
        files = self.file(folder, "Games-6k.test.inter"), self.file(folder, "Games.item", "Games-6k.item")
        held = r"(?<user_id>[^\t]+)\t(?<history>[^\t]*)\t *(?<last>[^\t ]+) *"
        users = read_lines(files[0], held, "a user, a history and a last item, parted by tabs,", header=True)
        titles = read_lines(files[1], r"(?<item_id>[^\t]+)\t(?<title>[^\t]*)", "an item and its title, parted by a tab,", header=True)
        taken = pl.concat_str("history", "last", separator=" ").str.split(" ")
        events = users.frame.select("user_id", item_id=taken).explode("item_id").filter(pl.col("item_id") != "")
        named = titles.frame.with_columns(pl.Series("title", [html.unescape(title).strip() for title in titles.frame["title"]]))
        return Table(events, users.name), Table(named, titles.name, titles.where), None
