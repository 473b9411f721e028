"""MovieLens 100K: 100,000 dated ratings of 1,682 films by 943 people (Harper and Konstan, 2015)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from ...component import Component, Options
from ...errors import DataError
from ..fetch import fetch_package

__all__ = ["MovieLens100K"]

LICENCE = "MovieLens data: research use, no redistribution; see https://files.grouplens.org/datasets/movielens/ml-100k-README.txt."
GENRES = [
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
]
Tables = tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]


class MovieLens100K(Component):
    """Fetches itself once and works offline from then on; a folder with the original u.data, u.item and u.user serves as well."""

    options: Options
    columns: ClassVar[dict[str, Any]] = {
        "user": "user_id",
        "item": "item_id",
        "time": "timestamp",
        "value": "rating",
        "text": ["movie_title", "class"],
        "side": ["class", "release_year"],
        "user_side": ["age", "gender", "occupation"],
    }
    types: ClassVar[dict[str, str]] = {"class": "categories", "movie_title": "text", "release_year": "number", "age": "number"}
    prompt: ClassVar[str] = "{movie_title}. {class}."

    def read(self, path: Path | None) -> Tables:
        """(events, items, users), called as in the field's files. ``path`` absent: $GERMANE_DATA/ml-100k where it exists, else fetched."""
        if path is None:
            near = Path(os.environ.get("GERMANE_DATA", "")) / "ml-100k"
            path = near if os.environ.get("GERMANE_DATA") and near.is_dir() else None
        if path is None:
            path = fetch_package(
                "recbole",
                "1.2.1",
                "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407",
                "recbole/dataset_example/ml-100k",
                "ml-100k",
                LICENCE,
            )
        if (path / "ml-100k.inter").is_file():
            return _atomic(path)
        if (path / "u.data").is_file():
            return _original(path)
        raise DataError(f"{path} holds neither u.data nor ml-100k.inter: give the unpacked ml-100k folder, or leave [data] path out to fetch it.")


def _atomic(folder: Path) -> Tables:
    def table(name: str) -> pl.DataFrame:
        frame = pl.read_csv(folder / f"ml-100k.{name}", separator="\t", infer_schema=False, quote_char=None)
        return frame.rename({column: column.split(":")[0] for column in frame.columns})

    year = pl.col("release_year").str.extract(r"^(\d{4})$")  # one film has none
    items = table("item").with_columns(year, pl.col("class").str.replace_all(" ", "|"))
    return table("inter"), items, table("user")


def _original(folder: Path) -> Tables:
    events = pl.read_csv(
        folder / "u.data", separator="\t", has_header=False, infer_schema=False, new_columns=["user_id", "item_id", "rating", "timestamp"]
    )
    names = ["item_id", "movie_title", "date", "video", "url", *GENRES]
    raw = pl.read_csv(folder / "u.item", separator="|", has_header=False, infer_schema=False, encoding="latin-1", new_columns=names, quote_char=None)
    title = pl.col("movie_title").str.strip_chars()
    classes = pl.concat_str([pl.when(pl.col(g) == "1").then(pl.lit(g)) for g in GENRES], separator="|", ignore_nulls=True)
    items = raw.select(
        "item_id",
        title.str.replace(r"\s*\(\d{4}\)$", "").alias("movie_title"),
        title.str.extract(r"\((\d{4})\)$").alias("release_year"),
        classes.alias("class"),
    )
    users = pl.read_csv(
        folder / "u.user", separator="|", has_header=False, infer_schema=False, new_columns=["user_id", "age", "gender", "occupation", "zip_code"]
    )
    return events, items, users
