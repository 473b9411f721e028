"""Who is known, and what is known of each, as models read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
import torch
from torch import Tensor

from .batches import profiles
from .data.tables import as_rows
from .errors import QueryError
from .features import FeatureSet, Moments
from .types import as_id

__all__ = ["People"]


class People:
    """Users in the order of their codes, with the columns that say something of them (``user_side``). Grows at the end."""

    def __init__(self, users: pl.DataFrame, profile: FeatureSet, separators: Mapping[str, str] | None = None) -> None:
        self.users = users
        """``id`` and the columns that the data brought."""
        self.profile = profile
        self.separators = separators or {}
        """Inside each several-valued column."""
        self.codes: dict[str, int] = {user: code for code, user in enumerate(users["id"]) if user}
        self.moments = profiles(profile, users)
        """A row a user, and a last, empty one that code -1 (unknown) finds."""

    def check(self, rows: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
        """Of these rows the columns that answers depend on; what one of them cannot hold is refused."""
        read = [name for name in self.profile.names if name in self.users.columns]
        given = {as_id(user, "user"): {name: columns[name] for name in read if name in columns} for user, columns in rows.items()}
        for columns in given.values():
            for name, value in columns.items():
                dtype = self.users.schema[name]
                if value is not None and dtype.is_numeric() and (isinstance(value, bool) or not isinstance(value, int | float)):
                    raise QueryError(f"{name} = {value!r} is not a number.", name)
                if isinstance(value, list) and not isinstance(dtype, pl.List):
                    raise QueryError(f"{name} = {value!r} is several values, and this column holds one: give one text.", name)
        return given

    def put(self, rows: Mapping[str, Mapping[str, Any]]) -> None:
        """Of these users take the columns that answers depend on. What a row does not name stays; what nothing reads is left to its sender."""
        whole = []
        for user, columns in self.check(rows).items():
            if columns:
                held = self.users.row(self.codes[user], named=True) if user in self.codes else {}
                whole.append({**held, **columns, "id": user})
        if not whole:
            return
        frame = as_rows(whole, self.users.schema, self.separators)
        new = pl.Series([user not in self.codes for user in frame["id"]])
        self.codes.update((user, self.users.height + place) for place, user in enumerate(frame["id"].filter(new)))
        self.users = pl.concat([self.users.update(frame.filter(~new), on="id", how="left", include_nulls=True), frame.filter(new)])
        encoded = profiles(self.profile, frame)
        at = torch.tensor([self.codes[user] for user in frame["id"]])
        self.moments = Moments(_placed(self.moments.codes, at, encoded.codes), _placed(self.moments.dense, at, encoded.dense))

    def forget(self, user: str) -> None:
        """Nothing is known of this user from now on, not even the name. The place stays, so that no one else's code moves."""
        code = self.codes.pop(user, None)
        if code is not None:
            own = pl.col("id") == user
            self.users = self.users.with_columns(
                pl.when(own).then(pl.lit("" if name == "id" else None)).otherwise(pl.col(name)).alias(name) for name in self.users.columns
            )
            self.moments.codes[code], self.moments.dense[code] = 0, 0


def _placed(table: Tensor, at: Tensor, rows: Tensor) -> Tensor:
    """``table`` with ``rows`` at ``at``, longer where need be. Both end with the empty row."""
    longer = table.new_zeros(max(len(table), int(at.max()) + 2), table.shape[1])
    longer[: len(table)] = table
    longer[at] = rows[:-1]
    return longer
