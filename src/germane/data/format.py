"""``[data.format]``: how text files are written, where detection would err."""

from __future__ import annotations

from pydantic import Field, field_validator

from ..component import Options

__all__ = ["Format"]


class Format(Options):
    """``[data.format]``"""

    separator: str | None = Field(default=None, min_length=1, max_length=1)
    """One character between cells."""
    encoding: str | None = None
    """Such as utf-8, cp1252, latin-1."""
    decimal: str | None = Field(default=None, pattern=r"^[.,]$")
    """The decimal mark, ``.`` or ``,``."""
    header: bool | tuple[str, ...] = True
    """False: the first line is data, and columns are called column_1, column_2 …; or their names."""
    quote: str | None = Field(default=None, max_length=1)
    """What encloses cells that hold separators; empty: nothing does."""

    @field_validator("separator", "quote")
    @classmethod
    def _one_byte(cls, value: str | None) -> str | None:
        if value and (not value.isascii() or value in "\r\n"):
            raise ValueError("should be one character of ASCII that ends no line")
        return value
