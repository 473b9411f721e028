"""Two camps of users and two camps of items: each user's right items are known."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from pydantic import Field, field_validator

from ..component import Options
from .base import World

__all__ = ["Checkerboard", "CheckerboardOptions"]


class CheckerboardOptions(Options):
    users: int = Field(default=40, ge=2)
    """Half of them are even."""
    items: int = Field(default=20, ge=4)
    """An even number: half of them are even."""
    held_out: int = Field(default=1, ge=1)
    """How many of the right items each user has not met yet."""
    seed: int = 0
    """Decides the order in which each user met the others."""

    @field_validator("items")
    @classmethod
    def _even(cls, value: int) -> int:
        if value % 2:
            raise ValueError("should be an even number, half even and half odd")
        return value


class Checkerboard(World):
    """Even users have met the even items, odd users the odd ones, but for a few: those, and no others, are right to recommend.

    A model that has understood anything puts ``right(user)`` on top of the unseen items. Prefer ``MomentWorld`` to learn how
    much of the possible a model reaches: here everything is certain and nothing depends on the moment.

    >>> world = Checkerboard(users=4, items=6)
    >>> world.right("u0"), world.right("u1"), world.right("u2")
    (['i0'], ['i1'], ['i2'])
    >>> world.frames()[0].filter(user="u0")["item"].sort().to_list()
    ['i2', 'i4']

    Source: the checkerboard of the tests of the library implicit.
    """

    options: CheckerboardOptions

    def right(self, user: str) -> list[str]:
        """The items of the user's camp that they have not met."""
        number = int(user.removeprefix("u"))
        half = self.options.items // 2
        first = number // 2
        return [f"i{2 * ((first + k) % half) + number % 2}" for k in range(min(self.options.held_out, half - 1))]

    @property
    def columns(self) -> dict[str, Any]:
        return {"user": "user", "item": "item", "time": "time", "text": ["title"], "side": ["camp"]}

    def frames(self) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
        """Events (user, item, time), items (item, title, camp), users (user)."""
        return self._frames

    @cached_property
    def _frames(self) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
        rng = np.random.default_rng(self.options.seed)
        start = datetime(2026, 1, 1)
        rows = []
        for number in range(self.options.users):
            user = f"u{number}"
            right = set(self.right(user))
            met = [item for item in (f"i{k}" for k in range(number % 2, self.options.items, 2)) if item not in right]
            rows += [(user, met[k], start + timedelta(hours=place, minutes=number)) for place, k in enumerate(rng.permutation(len(met)))]
        codes = range(self.options.items)
        camps = [("even", "odd")[k % 2] for k in codes]
        items = pl.DataFrame({"item": [f"i{k}" for k in codes], "title": [f"{camp} thing {k}" for k, camp in zip(codes, camps)], "camp": camps})
        events = pl.DataFrame(rows, schema=["user", "item", "time"], orient="row").sort("time", "user")
        return events, items, pl.DataFrame({"user": [f"u{k}" for k in range(self.options.users)]})
