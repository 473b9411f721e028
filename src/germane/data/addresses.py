"""Addresses of databases: what SQLAlchemy reads, with passwords that stand in the environment and nowhere else."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from ..errors import ConfigError

if TYPE_CHECKING:
    from sqlalchemy import URL

__all__ = ["database_url", "safe"]

_PASSWORDS = ("password", "passwd", "pwd", "sslpassword")
"""What drivers call one behind the question mark."""
_BEHIND = re.compile(rf"([?&](?:{'|'.join(_PASSWORDS)})=)(?!env:)[^&#\s]+", re.IGNORECASE)


def database_url(address: str, where: str) -> URL:
    """What an address means: ``env:DATABASE_URL`` for a whole one in the environment, ``postgresql://me:env:PGPASS@host/shop`` for its password.

    ``where``: who asks, for errors. A password in plain sight is refused.

    >>> database_url("postgresql://me:secret@host/shop", "--storage")
    Traceback (most recent call last):
    ...
    germane.errors.ConfigError: --storage holds a password: put it in an environment variable and write env:NAME in its place.
    """
    try:
        import sqlalchemy
        from sqlalchemy.exc import ArgumentError
    except ImportError:
        raise ConfigError(f"{where} needs SQLAlchemy: pip install sqlalchemy, and the driver of your database.") from None
    whole = re.fullmatch(r"env:\w+", address)
    try:
        url = sqlalchemy.make_url(_variable(address.removeprefix("env:"), where) if whole else address)
    except ArgumentError:
        raise ConfigError(
            f"{where} = {safe(address)!r} is no address: write one such as sqlite:///shop.db or postgresql://me:env:PGPASS@host/shop."
        ) from None
    if whole:
        return url
    behind = {name: said for name, said in url.query.items() if name.lower() in _PASSWORDS}
    for said in (url.password, *behind.values()):
        if said is not None and not (isinstance(said, str) and said.startswith("env:")):
            raise ConfigError(f"{where} holds a password: put it in an environment variable and write env:NAME in its place.")
    url = url.update_query_dict({name: _variable(str(said).removeprefix("env:"), where) for name, said in behind.items()})
    return url if url.password is None else url.set(password=_variable(url.password.removeprefix("env:"), where))


def safe(address: str) -> str:
    """The address without a password, for people and files.

    >>> safe("postgresql://me:secret@host/shop")
    'postgresql://me:***@host/shop'
    >>> safe("postgresql://host/shop?user=me&password=secret")
    'postgresql://host/shop?user=me&password=***'
    """
    return _BEHIND.sub(r"\1***", re.sub(r"(://[^:/@]*):(?!env:)[^@]*@(?:[^?\s]*@)?", r"\1:***@", address))


def _variable(name: str, where: str) -> str:
    value = os.environ.get(name)
    if value is None:
        raise ConfigError(f"{where} reads the environment variable {name}, which is not set: export {name}=…")
    return value
