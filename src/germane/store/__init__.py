"""The event log and catalogue: what was done, what was shown, what came back, and what was put in while the service ran."""

from __future__ import annotations

from .base import EventStore, Receipt, StoredEvent
from .open import open_store

__all__ = ["EventStore", "Receipt", "StoredEvent", "open_store"]
