"""The recommender over HTTP, and the page on which a person tries it."""

from __future__ import annotations

from .app import create_app
from .serve import serve

__all__ = ["create_app", "serve"]
