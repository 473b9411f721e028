"""MovieLens 100K: 100,000 dated film ratings by 943 people (Harper and Konstan 2015, doi 10.1145/2827872)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from ...errors import DataError, FetchError
from ..fetch import fetch_archive, fetch_package
from ..format import Format
from ..readers import read_files
from ..tables import Table
from .base import Source

__all__ = ["MovieLens100K"]

LICENCE = "MovieLens 100K, GroupLens Research, University of Minnesota: for research, not to be redistributed or sold without permission."
SITE = "https://files.grouplens.org/datasets/movielens/ml-100k.zip"
HASHES = {
    "ml-100k/u.data": "06416e597f82b7342361e41163890c81036900f418ad91315590814211dca490",
    "ml-100k/u.item": "553841ebc7de3a0fd0d6b62a204ea30c1e651aacfb2814c7a6584ac52f2c5701",
    "ml-100k/u.user": "f120e114da2e8cf314fd28f99417c94ae9ddf1cb6db8ce0e4b5995d40e90e62c",
}
GENRES = (
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy"),
    *("Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"),
)
EVENTS = ("user_id", "item_id", "rating", "timestamp")
USERS = ("user_id", "age", "gender", "occupation", "zip_code")
_YEAR = r"\((\d{4})\)(?:\s*\(T?V\))?\s*$"


class MovieLens100K(Source):
    """The original ``u.data``, ``u.item``, ``u.user``, or the same as ``ml-100k.inter``, ``.item``, ``.user``; both give equal tables.

    Without ``path``: ``$GERMANE_DATA/ml-100k``, else fetched once into the cache, from a package, else from the original site.
    """

    folder = "ml-100k"
    columns: ClassVar[Mapping[str, Any]] = {
        "user": "user_id",
        "item": "item_id",
        "time": "timestamp",
        "value": "rating",
        "text": ["movie_title", "class"],
        "side": ["class", "release_year"],
        "user_side": ["age", "gender", "occupation"],
    }
    types: ClassVar[Mapping[str, str]] = {
        "class": "categories",
        "release_year": "number",
        "age": "number",
        "gender": "category",
        "occupation": "category",
    }
    prompt = "{movie_title}. {class}."

    def read(self, path: Path | None = None) -> tuple[Table, Table | None, Table | None]:
        folder = path or self.local() or _fetched()
        if (folder / "u.data").is_file():
            return _original(folder)
        if (folder / "ml-100k.inter").is_file():
            return _atomic(folder)
        raise DataError(f"{folder} holds neither u.data nor ml-100k.inter: give the folder of MovieLens 100K as path, or none to have it fetched.")


def _fetched() -> Path:
    try:
        sha256 = "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407"
        return fetch_package("recbole", "1.2.1", sha256, "recbole/dataset_example/ml-100k/", "data/ml-100k", LICENCE)
    except FetchError as first:
        try:
            return fetch_archive(SITE, HASHES, "data/ml-100k-original", LICENCE) / "ml-100k"
        except FetchError as second:
            raise FetchError(
                f"{first}\nThe second way failed too: {second} A folder with u.data, u.item and u.user can be given as [data] path."
            ) from None


def _original(folder: Path) -> tuple[Table, Table, Table]:
    events = read_files("u.data", folder, Format(separator="\t", header=EVENTS, quote=""), any_suffix=True)
    users = read_files("u.user", folder, Format(separator="|", header=USERS, quote=""), any_suffix=True)
    names = ("item_id", "movie_title", "release_date", "video_date", "address", *GENRES)
    items = read_files("u.item", folder, Format(separator="|", encoding="latin-1", header=names, quote=""), any_suffix=True)
    genres = pl.concat_list([pl.when(pl.col(genre) == "1").then(pl.lit(genre)) for genre in GENRES]).list.drop_nulls().list.join("|")
    return events, _with_years(items, items.frame.select("item_id", "movie_title", release_year=pl.lit(None, pl.String), **{"class": genres})), users


def _atomic(folder: Path) -> tuple[Table, Table, Table]:
    events, items, users = (
        read_files(f"ml-100k.{name}", folder, Format(separator="\t", header=columns, quote=""), any_suffix=True, skip=1)
        for name, columns in (("inter", EVENTS), ("item", ("item_id", "movie_title", "release_year", "class")), ("user", USERS))
    )
    genres = pl.col("class").str.replace_all(" ", "|", literal=True)
    year = pl.when(pl.col("release_year").str.contains(r"^\d{4}$")).then("release_year")
    title = pl.col("movie_title").replace("unkonwn", "unknown")
    return events, _with_years(items, items.frame.select("item_id", title, year, genres)), users


def _with_years(table: Table, frame: pl.DataFrame) -> Table:
    """Titles lose the year that ends them, and the year is a column."""
    title = pl.col("movie_title").str.strip_chars()
    year = pl.coalesce("release_year", title.str.extract(_YEAR))
    return Table(frame.with_columns(title.str.replace(_YEAR, "").str.strip_chars(), release_year=year), table.name, table.where)
