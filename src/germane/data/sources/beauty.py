"""Amazon Beauty: who reviewed which beauty product after which, without times (McAuley et al. 2015, doi 10.1145/2766462.2767755)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from ...errors import DataError
from ..tables import Table
from .base import Source
from .lines import read_lines

__all__ = ["Beauty"]


class Beauty(Source):
    """Amazon Beauty 2014, users and items with at least five events: 198,502 events in order, without times. Its split is ``LeaveLastOut``.

    ``sequences.txt`` holds a line a user: the user, then items, oldest first. ``datamaps.json`` gives each item its ASIN, by which
    ``item_texts.txt`` gives it a ``title``: up to eleven words that a small language model drew from name, brand and categories.
    ``item_attributes.json`` gives it ``attributes``: codes of categories and brand, whose names are not told.

    Sources: the events are Amazon's of 2014 as S3-Rec cut them (Zhou et al. 2020, doi 10.1145/3340531.3411954); the titles are the item ids of
    IDGenRec (Tan et al. 2024, arXiv 2403.19021). The reviews belong to Amazon and their writers: for research, not to be passed on.
    """

    folder = "beauty"
    origin = (
        "It reads sequences.txt and item_attributes.json (data/Beauty.txt and data/Beauty_item2attributes.json of "
        "https://github.com/RUCAIBox/CIKM2020-S3Rec), datamaps.json (of the Beauty data of https://github.com/jeykigung/P5) and item_texts.txt "
        "(rec_datasets/Beauty/item_generative_indexing_phase_0.txt of https://github.com/agiresearch/IDGenRec)."
    )
    columns: ClassVar[Mapping[str, Any]] = {"user": "user", "item": "item", "text": ["title"], "side": ["attributes"]}
    types: ClassVar[Mapping[str, str]] = {"attributes": "categories"}

    def read(self, path: Path | None = None) -> tuple[Table, Table | None, Table | None]:
        folder = self.home(path)
        files = [self.file(folder, name) for name in ("sequences.txt", "datamaps.json", "item_texts.txt", "item_attributes.json")]
        sequences = read_lines(files[0], r"(?<user>\S+) +(?<item>\S.*?) *", "a user and the user's items, parted by blanks,")
        events = sequences.frame.with_columns(pl.col("item").str.split(" ")).explode("item").filter(pl.col("item") != "")
        return Table(events, sequences.name), _items(*files[1:]), None


def _items(maps: Path, texts: Path, attributes: Path) -> Table:
    """A row for each item of the maps: ``item``, ``asin``, ``title``, ``attributes``."""
    asins = _object(maps).get("id2item")
    if not isinstance(asins, dict) or not all(isinstance(asin, str) for asin in asins.values()):
        raise DataError(f'{maps.name} has no "id2item": an object that gives each item of sequences.txt its ASIN belongs there.')
    codes = _object(attributes)
    if not all(isinstance(cell, list) and all(isinstance(code, int | str) for code in cell) for cell in codes.values()):
        raise DataError(f"{attributes.name} should give each item a list of codes.")
    titles = read_lines(texts, r"(?<asin>\S+)(?: (?<title>.*))?", "an ASIN and a text").frame.unique("asin", keep="last")
    items = pl.DataFrame({"item": list(asins), "asin": list(asins.values())}, schema={"item": pl.String, "asin": pl.String})
    told = {"item": list(codes), "attributes": [[str(code) for code in cell] for cell in codes.values()]}
    coded = pl.DataFrame(told, schema={"item": pl.String, "attributes": pl.List(pl.String)})
    return Table(
        items.join(titles, on="asin", how="left", maintain_order="left").join(coded, on="item", how="left", maintain_order="left"),
        f"the items of {maps.name}",
    )


def _object(file: Path) -> dict[str, Any]:
    try:
        read = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{file.name} is no JSON that can be read: {error}.") from None
    if not isinstance(read, dict):
        raise DataError(f"{file.name} holds no JSON object.")
    return read
