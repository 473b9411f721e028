"""From an address to a store."""

from __future__ import annotations

import os

from ..errors import StoreError
from .base import EventStore

__all__ = ["DEFAULT", "open_store"]

DEFAULT = "sqlite:///germane.db"


def open_store(address: str | None = None, *, tenant: str = "default", read_only: bool = False) -> EventStore:
    """Open the store at an address, else at ``$GERMANE_STORE``, else ``germane.db`` in the current folder.

    A process that writes owns the store; others open it with ``read_only=True`` meanwhile.

    >>> open_store("germane.db")
    Traceback (most recent call last):
    ...
    germane.errors.StoreError: store 'germane.db' is no address: write sqlite:///FILE, such as sqlite:///germane.db.
    """
    address = address or os.environ.get("GERMANE_STORE") or DEFAULT
    scheme, found, file = address.partition(":///")
    if not found:
        raise StoreError(f"store {address!r} is no address: write sqlite:///FILE, such as {DEFAULT}.")
    if scheme != "sqlite":
        raise StoreError(f"stores of kind {scheme!r} are not known: write sqlite:///FILE, such as {DEFAULT}.")
    if file.partition("?")[0] in ("", ":memory:"):
        raise StoreError(f"store {address!r} would be gone with the process: write sqlite:///FILE, such as {DEFAULT}.")
    from .sql import SqlStore

    return SqlStore(address, tenant=tenant, read_only=read_only)
