"""Generated worlds with a known truth: what a model could reach at best is known, and printed beside what it reaches."""

from __future__ import annotations

from .base import World
from .checkerboard import Checkerboard
from .moments import MomentWorld

__all__ = ["Checkerboard", "MomentWorld", "World"]
