"""Conditions on a number, such as ``">= 4"``: what ``[data.rules] positive`` is written in."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import ConfigError

__all__ = ["Condition"]

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
    "==": operator.eq,
    "!=": operator.ne,
}
_FORM = re.compile(r"\s*(>=|<=|==|!=|>|<)\s*([+-]?\d+(?:\.\d+)?)\s*")


@dataclass(frozen=True)
class Condition:
    """A comparison with a number; calling it works on numbers, arrays and polars expressions alike.

    >>> liked = Condition.parse(">= 4")
    >>> liked(5), liked(3.5)
    (True, False)
    """

    sign: str
    number: float

    @classmethod
    def parse(cls, text: str) -> Condition:
        form = _FORM.fullmatch(text)
        if form is None:
            raise ConfigError(f"{text!r} is not a condition: write one of {', '.join(_COMPARE)} and a number, such as '>= 4'.")
        return cls(form[1], float(form[2]))

    def __call__(self, value: Any) -> Any:
        return _COMPARE[self.sign](value, self.number)
